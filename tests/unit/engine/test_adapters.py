"""Scales of LoRA adapters that change while the engine is idle, on the scripted model, whose letters they move."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from service.engine.encoder_engine import EncoderEngine
from service.engine.request.events import AdaptersSet, Failed
from service.engine.request.requests import AdaptersRequest, EmbeddingRequest, SystemPrompt, SystemPromptRequest
from service.engine.request.slot_requests import RestoreSlot, SaveSlot
from service.errors import InvalidArgument, SlotsBusy
from service.model_facts import AdapterInfo
from tests.support.engine import EncoderBench, EngineBench, expected_text, prompt, request
from tests.unit.engine.test_slot_work import error_of, saved

if TYPE_CHECKING:
    from service.engine.request.events import Event

ADAPTERS = (AdapterInfo("a.gguf", "aa", 1e9), AdapterInfo("b.gguf", "bb", 1e9))
LONG = "a prompt that is long enough to be worth its cells"


def set_scales(bench: EngineBench | EncoderBench, *scales: float) -> Event:
    (event,) = bench.complete(AdaptersRequest(scales)).events
    return event


def moved(text: str, by: int) -> str:
    return "".join(chr(ord("a") + (ord(letter) - ord("a") + by) % 26) for letter in text)


def test_scales_change_what_follows() -> None:
    bench = EngineBench(adapters=ADAPTERS)
    first = expected_text(LONG, 1)
    for scales, by in (((0.0, 0.0), 0), ((0.1, 0.0), 1), ((0.1, 0.3), 4), ((0.0, 0.0), 0)):
        assert isinstance(set_scales(bench, *scales), AdaptersSet)
        assert bench.engine.snapshot().adapter_scales == scales
        assert bench.complete(request(LONG, max_tokens=1)).text == moved(first, by)


def test_what_was_evaluated_with_other_scales_is_forgotten() -> None:
    bench = EngineBench(adapters=ADAPTERS)
    bench.complete(request(LONG, slot_id=0))
    bench.complete(request(LONG[::-1], slot_id=0))
    assert bench.engine.snapshot().saved_prompts
    set_scales(bench, 0.0, 0.5)
    snapshot = bench.engine.snapshot()
    assert (snapshot.kv_cells_used, snapshot.saved_prompts) == (0, 0)
    assert bench.complete(request(LONG)).accepted.cached_prompt_tokens == 0


def test_logits_behind_prompts_are_forgotten_too() -> None:
    bench = EngineBench(adapters=ADAPTERS)
    expected = expected_text(LONG, 1)
    bench.complete(request(LONG, max_tokens=1))
    bench.complete(request(LONG, max_tokens=1))
    set_scales(bench, 0.2, 0.0)
    bench.complete(request(LONG, max_tokens=0))
    assert bench.complete(request(LONG, max_tokens=1)).text == moved(expected, 2)


def test_the_same_scales_again_change_nothing() -> None:
    bench = EngineBench(adapters=ADAPTERS)
    bench.complete(request(LONG))
    assert isinstance(set_scales(bench, 0.0, 0.0), AdaptersSet)
    assert bench.complete(request(LONG)).accepted.cached_prompt_tokens == len(LONG) - 1


def test_a_system_prompt_is_evaluated_again() -> None:
    bench = EngineBench(adapters=ADAPTERS)
    bench.complete(SystemPromptRequest(SystemPrompt("Be brief.", prompt("Be brief."))))
    n_calls = len(bench.model.compute.decoded)
    set_scales(bench, 0.1, 0.0)
    assert [segment.tokens for call in bench.model.compute.decoded[n_calls:] for segment in call] == [
        prompt("Be brief.")
    ]
    sink = bench.complete(request(LONG, max_tokens=1))
    assert sink.text == moved(expected_text("Be brief." + LONG, 1), 1)


def test_scales_cannot_change_while_anything_runs() -> None:
    bench = EngineBench(adapters=ADAPTERS)
    _, running = bench.submit(request(LONG))
    _, changing = bench.submit(AdaptersRequest((1.0, 1.0)))
    bench.run()
    assert isinstance(changing.failed.error, SlotsBusy)
    assert changing.failed.error.message == "LoRA adapters can only be updated when all slots are idle"
    assert running.text == expected_text(LONG, 8)
    assert bench.engine.snapshot().adapter_scales == (0.0, 0.0)


def test_a_slot_is_restored_under_the_scales_that_it_was_saved_under() -> None:
    bench = EngineBench(adapters=ADAPTERS)
    set_scales(bench, 0.1, 0.0)
    bench.complete(request(LONG))
    image = saved(bench)
    assert image.adapter_scales == (0.1, 0.0)
    set_scales(bench, 0.0, 0.0)
    bench.complete(RestoreSlot(0, image))
    assert bench.complete(request(LONG, slot_id=1)).accepted.cached_prompt_tokens == 0
    assert bench.complete(request(LONG, adapter_scales=(0.1, 0.0))).accepted.cached_prompt_tokens == len(LONG) - 1
    set_scales(bench, 0.1, 0.0)
    bench.complete(RestoreSlot(0, image))
    assert bench.complete(request(LONG)).accepted.cached_prompt_tokens == len(LONG) - 1


def test_a_slot_of_other_adapters_is_refused() -> None:
    bench = EngineBench(adapters=ADAPTERS)
    bench.complete(request(LONG))
    error = error_of(bench, RestoreSlot(0, replace(saved(bench), adapter_scales=(0.1,))))
    assert isinstance(error, InvalidArgument)
    assert "other LoRA adapters" in error.message


def test_scales_do_not_change_while_a_slot_waits_to_be_saved() -> None:
    bench = EngineBench(adapters=ADAPTERS)
    bench.complete(request(LONG))
    bench.submit(SaveSlot(0))
    _, changing = bench.submit(AdaptersRequest((1.0, 1.0)))
    bench.run()
    assert isinstance(changing.failed.error, SlotsBusy)


def test_encoders_have_scales_too() -> None:
    bench = EncoderBench(adapters=ADAPTERS)
    plain = bench.embed("a text").embedded.vectors
    assert isinstance(set_scales(bench, 0.5, 0.25), AdaptersSet)
    assert isinstance(bench.engine, EncoderEngine)
    assert bench.engine.snapshot().adapter_scales == (0.5, 0.25)
    np.testing.assert_allclose(bench.embed("a text").embedded.vectors, 1.75 * plain)


def test_scales_of_an_encoder_cannot_change_while_it_works() -> None:
    bench = EncoderBench(adapters=ADAPTERS)
    _, running = bench.submit(EmbeddingRequest((prompt("a text"),)))
    _, changing = bench.submit(AdaptersRequest((1.0, 1.0)))
    bench.run()
    assert isinstance(changing.events[0], Failed)
    assert isinstance(changing.events[0].error, SlotsBusy)
    assert running.embedded.vectors.shape[0] == 1
    assert pytest.approx(bench.engine.snapshot().adapter_scales) == (0.0, 0.0)
