"""How the configuration of a core is built, and what follows from it."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from service.bounds import Bounds, bounds_of
from service.config import (
    CoreConfig,
    EngineConfig,
    EngineOptions,
    KvOverride,
    Lookup,
    LoraAdapter,
    ModelConfig,
    core_config,
)
from service.errors import InvalidArgument


def test_settings_of_model_and_core_stand_side_by_side() -> None:
    settings = {"path": "m.gguf", "n_parallel": 2, "alias": "tiny", "cache_ram_mib": 5, "of_something_else": 1}
    assert core_config(settings) == CoreConfig(
        model=ModelConfig(path="m.gguf", n_parallel=2), alias="tiny", cache_ram_mib=5
    )


def test_without_a_path_there_is_no_configuration() -> None:
    with pytest.raises(TypeError, match="path"):
        core_config({"n_ctx": 512})


@pytest.mark.parametrize(
    ("settings", "field"), [({"n_ctx": 15, "n_parallel": 2}, "n_ctx"), ({"group_n": 3}, "group_width")]
)
def test_values_that_do_not_go_together_are_refused(settings: dict[str, int], field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        core_config({"path": "m.gguf", **settings})
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("max_tokens", 0, "1 to 2147483647"),
        ("max_queue", 0, "1 to 2147483647"),
        ("cache_ram_mib", -2, "-1 to 2147483647"),
        ("group_n", 0, "1 to 2147483647"),
        ("prefill_budget_ms", 0.0, "a number above 0"),
        ("prefill_budget_ms", math.inf, "a number above 0"),
        ("drain_timeout_s", -1.0, "0 or a number above it"),
    ],
)
def test_a_value_out_of_its_bounds_is_refused(name: str, value: float, allowed: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        core_config({"path": "m.gguf", name: value})
    assert caught.value.message == f"{name}: is {value!r}; allowed: {allowed}"


@pytest.mark.parametrize(
    ("settings", "derived"),
    [
        ({}, {"n_slots": 1, "n_ctx_slot": 512, "max_queue": 128}),
        ({"n_ctx": 1024, "n_parallel": 4}, {"n_slots": 4, "n_ctx_slot": 256, "max_queue": 128}),
        ({"n_ctx": 1024, "n_parallel": 4, "kv_unified": True}, {"n_slots": 4, "n_ctx_slot": 1024}),
        ({"n_parallel": 16}, {"max_queue": 256}),
        ({"n_parallel": 16, "max_queue": 7}, {"max_queue": 7}),
        ({"n_batch": 64, "lookup": Lookup.AUTO}, {"n_batch": 64, "lookup": Lookup.AUTO}),
    ],
)
def test_what_the_engine_is_told_follows_from_model_and_core(
    settings: dict[str, object], derived: dict[str, object]
) -> None:
    engine = core_config({"path": "m.gguf", **settings}).engine
    assert {name: getattr(engine, name) for name in derived} == derived


def test_what_was_decided_of_the_engine_reaches_it_unchanged() -> None:
    decided: dict[str, Any] = {
        "max_tokens": 9,
        "default_max_tokens": 7,
        "prefill_budget_ms": 1.0,
        "idle_prefill_budget_ms": 2.0,
        "alone_prefill_budget_ms": 3.0,
        "group_n": 2,
        "group_width": 4,
        "cache_ram_mib": 3,
        "idle_cells": 0,
        "draft_max": 8,
        "draft_min": 2,
        "draft_p_min": 0.5,
    }
    assert set(decided) == {field.name for field in dataclasses.fields(EngineOptions)}
    engine = CoreConfig(model=ModelConfig("m.gguf"), **decided).engine
    assert {name: getattr(engine, name) for name in decided} == decided


def test_a_draft_model_is_loaded_like_the_model_but_for_its_own_fields() -> None:
    model = ModelConfig(
        "m.gguf",
        n_ctx=1024,
        n_parallel=2,
        n_threads=4,
        n_threads_batch=8,
        cache_type_k="q8_0",
        embedding=True,
        lora=(LoraAdapter("a.gguf"),),
        kv_overrides=(KvOverride("a", 1),),
    )
    assert model.draft is None
    like = dataclasses.replace(model, draft_path="d.gguf").draft
    assert like == dataclasses.replace(model, path="d.gguf", embedding=False, lora=(), kv_overrides=())
    own = dataclasses.replace(model, draft_path="d.gguf", n_ctx_draft=0, n_threads_draft=2, n_gpu_layers_draft=3).draft
    assert own is not None
    assert (own.n_ctx, own.n_threads, own.n_threads_batch, own.n_gpu_layers) == (0, 2, None, 3)


@pytest.mark.parametrize(
    ("settings", "field", "problem"),
    [
        ({"draft_max": 4}, "draft_max", "4 is of no use without `draft_path`"),
        ({"n_ctx_draft": 0}, "n_ctx_draft", "0 is of no use without `draft_path`"),
        ({"draft_path": "d.gguf", "draft_min": 17}, "draft_min", "17 is more than the 16 of `draft_max`"),
        ({"draft_path": "d.gguf", "draft_max": 0}, "draft_max", "is 0; allowed: 1 to 62"),
        ({"draft_path": "d.gguf", "draft_p_min": 2.0}, "draft_p_min", "is 2.0; allowed: 0 to 1"),
        (
            {"draft_path": "d.gguf", "group_n": 2},
            "group_n",
            "2 is not possible with `draft_path`: tokens whose positions are grouped cannot be tried",
        ),
    ],
)
def test_options_of_drafts_that_do_not_go_together_are_refused(
    settings: dict[str, object], field: str, problem: str
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        core_config({"path": "m.gguf", **settings})
    assert (caught.value.field, caught.value.problem) == (field, problem)


def test_the_engine_follows_a_model_that_is_replaced() -> None:
    config = core_config({"path": "m.gguf", "n_parallel": 2, "n_ctx": 512})
    changed = dataclasses.replace(config, model=dataclasses.replace(config.model, n_ctx=1024))
    assert (config.engine.n_ctx_slot, changed.engine.n_ctx_slot) == (256, 512)
    assert isinstance(changed.engine, EngineConfig)


def test_bounds_stand_beside_the_defaults() -> None:
    bounds = bounds_of(ModelConfig)
    assert (bounds["n_threads"], bounds["yarn_ext_factor"]) == (Bounds(1, 512), Bounds())
    defaults = {field.name: field.default for field in dataclasses.fields(ModelConfig)}
    assert (defaults["n_ctx"], defaults["n_threads"]) == (512, None)


@pytest.mark.parametrize(
    ("settings", "n_ctx"),
    [
        ({}, 2048),
        ({"n_ctx": 4096, "n_parallel": 4}, 8192),
        ({"n_ctx": 4096, "n_parallel": 4, "kv_unified": True}, 4096),
        ({"n_ctx": 16_384, "n_parallel": 4}, 16_384),
        # The model's own.
        ({"n_ctx": 0}, 0),
    ],
)
def test_slots_have_room_for_pictures_if_there_is_a_projector(settings: dict[str, int], n_ctx: int) -> None:
    assert core_config({"path": "m.gguf", "mmproj": "p.gguf", **settings}).model.n_ctx == n_ctx
    assert core_config({"path": "m.gguf", **settings}).model.n_ctx == settings.get("n_ctx", 512)
