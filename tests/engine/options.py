"""What options of commands stand for: engines, models and requests."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from service.config import EngineConfig, Lookup
from service.engine.request.requests import GenerationRequest, Overflow, SystemPrompt
from service.model_facts import AdapterInfo
from service.sampling.gbnf import GbnfGuide
from service.testing.scripted_media import media_chunk
from service.testing.scripted_model import BOS, EOS, Script, next_letter
from tests.engine.arguments import Arguments, CommandError, Part, Picture
from tests.engine.observed_model import ObservedModel, ObservedTiledModel
from tests.support.engine import GREEDY, prompt
from tests.support.pictures import WIDTH, media_of, prompt_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from service.engine.request.media import MediaChunk


def engine_config(arguments: Arguments) -> EngineConfig:
    """How the engine serves; two slots of 128 tokens unless something else is said."""
    config = EngineConfig(n_slots=2, n_ctx_slot=128)
    options: dict[str, Any] = {
        "n_slots": arguments.integer("slots"),
        "n_ctx_slot": arguments.integer("ctx"),
        "n_batch": arguments.integer("batch"),
        "max_tokens": arguments.integer("max_tokens"),
        "prefill_budget_ms": arguments.decimal("budget_ms"),
        "idle_prefill_budget_ms": arguments.decimal("idle_budget_ms"),
        "draft_max": arguments.integer("draft_max"),
        "draft_min": arguments.integer("draft_min"),
        "draft_p_min": arguments.decimal("draft_p_min"),
        "lookup": None if (lookup := arguments.symbol("lookup")) is None else Lookup(lookup),
        "group_n": arguments.integer("group"),
        "group_width": arguments.integer("window"),
        "cache_ram_mib": arguments.integer("cache_ram"),
        "idle_cells": arguments.integer("idle_cells"),
    }
    return replace(config, **{name: value for name, value in options.items() if value is not None})


def script(arguments: Arguments) -> Script:
    """What the model says: letters that depend on all tokens; or a text behind so many tokens; or a repetition."""
    says, behind, period = arguments.text("says"), arguments.integer("behind"), arguments.integer("repeats")
    if period is not None:
        return lambda tokens: tokens[-period]
    if says is None:
        return next_letter
    said, start = (*says.encode(), EOS), behind or 0
    return lambda tokens: said[min(max(0, len(tokens) - start), len(said) - 1)]


def draft_options(arguments: Arguments, says: Script) -> dict[str, Any] | None:
    """What the draft model is like; None without one. It says what the model says, but where it is told to be wrong.

    Args:
        arguments: what is said; ``draft_wrong=3`` makes it wrong behind every third token of a sequence.
        says: what the model says.
    """
    has_draft, period = arguments.flag("draft"), arguments.integer("draft_wrong")
    options: dict[str, Any] = {
        "n_cells": arguments.integer("draft_cells"),
        "step_s": _seconds(arguments.decimal("draft_step_ms")),
        "token_s": _seconds(arguments.decimal("draft_token_ms")),
        "can_shift": arguments.flag("draft_can_shift"),
    }
    if not has_draft:
        return None

    def guess(tokens: Sequence[int]) -> int:
        return ord("?") if period and len(tokens) % period == 0 else says(tokens)

    return {"script": guess} | {name: value for name, value in options.items() if value is not None}


def evaluated(parts: Iterable[Part], pictures: str) -> list[tuple[int, ...] | MediaChunk]:
    """Parts of a prompt as tokens and chunks; ``pictures`` is how the model evaluates these."""
    return [_chunk(part, pictures) if isinstance(part, Picture) else prompt(part) for part in parts]


def _chunk(part: Picture, pictures: str) -> MediaChunk:
    return media_chunk(
        part.content, part.n_cells, width=WIDTH, n_positions=part.n_positions, is_causal=pictures != "whole"
    )


def generation_request(arguments: Arguments, pictures: str) -> GenerationRequest:
    """A greedy request of eight tokens unless something else is said.

    Args:
        arguments: what is said.
        pictures: how the model evaluates pictures.
    """
    written = arguments.prompt("prompt")
    if written is None:
        raise CommandError("a request needs a prompt")
    parts = evaluated(written, pictures)
    has_bos = arguments.flag("bos") or False
    limit = arguments.integer_or_none("max_tokens", 8)
    temperature, seed = arguments.decimal("temperature"), arguments.integer("seed")
    sampling = replace(GREEDY, seed=seed)
    if temperature is not None:
        sampling = replace(sampling, temperature=temperature, top_k=0, top_p=1.0, min_p=0.0)
    stop_text, stop_token, system = arguments.text("stop"), arguments.text("stop_token"), arguments.text("system")
    grammar = arguments.text("grammar")
    return GenerationRequest(
        prompt=(*((BOS,) if has_bos else ()), *prompt_of(*parts)),
        media=media_of(*parts),
        has_bos=has_bos,
        n_dropped=arguments.integer("dropped") or 0,
        n_sequences=arguments.integer("n") or 1,
        sampling=sampling,
        max_tokens=limit,
        min_tokens=arguments.integer("min_tokens") or 0,
        stop_texts=() if stop_text is None else (stop_text.encode(),),
        stop_tokens=frozenset() if stop_token is None else frozenset(stop_token.encode()),
        n_keep=arguments.integer("keep") or 0,
        overflow=Overflow.TRUNCATE if arguments.flag("truncate") else Overflow.REFUSE,
        cache_prompt=arguments.flag("cache") is not False,
        cache_salt=arguments.symbol("salt") or "",
        adapter_scales=arguments.decimals("lora"),
        slot_id=arguments.integer("slot"),
        priority=arguments.integer("priority") or 0,
        system_prompt=None if system is None else SystemPrompt(system, prompt(system)),
        want_tokens=arguments.flag("records") or False,
        prompt_logprobs=arguments.integer("logprobs"),
        guide=None if grammar is None else GbnfGuide(grammar),
    )


def model_class(arguments: Arguments) -> type[ObservedModel]:
    """The model; with ``tiles`` one whose batches are dear below a tile, beside ``step_ms`` and ``token_ms``."""
    return ObservedTiledModel if arguments.flag("tiles") else ObservedModel


def picture_kind(arguments: Arguments) -> str:
    """How the model evaluates pictures: causal row by row, whole ones at once, or in a grid; or not at all."""
    kind = arguments.symbol("pictures") or "none"
    if kind not in ("none", "causal", "whole", "grid"):
        raise CommandError(f"pictures is {kind!r}; allowed are causal, whole and grid")
    return kind


def model_options(arguments: Arguments, pictures: str) -> dict[str, Any]:
    """What the scripted model has and can do, where it is said.

    Args:
        arguments: what is said.
        pictures: how the model evaluates pictures.
    """
    n_adapters = arguments.integer("adapters") or 0
    options: dict[str, Any] = {
        "n_cells": arguments.integer("cells"),
        "n_seq_max": arguments.integer("sequences"),
        "n_logits": arguments.integer("logits"),
        "n_hidden": arguments.integer("hidden"),
        "saved_bytes": arguments.integer("saved_bytes"),
        "step_s": _seconds(arguments.decimal("step_ms")),
        "token_s": _seconds(arguments.decimal("token_ms")),
        **{name: arguments.flag(name) for name in ("can_cut", "can_fork", "can_shift")},
        "n_embd_input": None if pictures == "none" else WIDTH,
        "has_grid": pictures == "grid",
        "n_whole": 512 if pictures == "whole" else None,
        "adapters": tuple(AdapterInfo(f"{number}.gguf", f"{number}", 10.0) for number in range(n_adapters)),
    }
    return {name: value for name, value in options.items() if value is not None}


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
