"""Where the time of an answer went, and how far its prompt is: the objects ``timings`` and ``prompt_progress``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rest_adapter.json.encoding import JsonObject
    from slotline.v1.generation_pb2 import Finished, Piece, PromptProgress, Timings, ToolDelta

_MS_NS = 1_000_000


def timings_2024(timings: Timings) -> JsonObject:
    """As llama.cpp's server of 2024 had them, with the counts of drafts if there were any."""
    return {
        **_span("prompt", timings.prompt_tokens, timings.prompt_eval.ToNanoseconds()),
        **_span("predicted", timings.decoded_tokens, timings.decode.ToNanoseconds()),
        **_drafts(timings),
    }


def timings_now(timings: Timings) -> JsonObject:
    """As its server of today has them: with what was cached, and without the first token in what a token takes.

    The first token comes from the evaluation of the prompt, so the time of generating is that of all others.
    """
    predicted = _span("predicted", max(0, timings.decoded_tokens - 1), timings.decode.ToNanoseconds())
    return {
        "cache_n": timings.cached_prompt_tokens,
        **_span("prompt", timings.prompt_tokens, timings.prompt_eval.ToNanoseconds()),
        **predicted,
        "predicted_n": timings.decoded_tokens,
        **_drafts(timings),
    }


def with_times(answer: JsonObject, told: Piece | ToolDelta | Finished) -> JsonObject:
    """An answer or event with the times that a message of the core has; without, if it has none."""
    if told.HasField("timings"):
        answer["timings"] = timings_now(told.timings)
    return answer


def progress_timings(progress: PromptProgress) -> JsonObject:
    """The times of a request whose prompt is being evaluated, as today's server has them."""
    n_evaluated = progress.processed - progress.cached
    return {
        "cache_n": progress.cached,
        **_span("prompt", n_evaluated, progress.elapsed.ToNanoseconds() if n_evaluated else 0),
        **_span("predicted", 0, 0),
    }


def prompt_progress(progress: PromptProgress) -> JsonObject:
    """How far a prompt is evaluated."""
    return {
        "cache": progress.cached,
        "processed": progress.processed,
        "time_ms": progress.elapsed.ToNanoseconds() // _MS_NS,
        "total": progress.total,
    }


def _span(name: str, n_tokens: int, duration_ns: int) -> JsonObject:
    duration_ms = duration_ns / _MS_NS
    return {
        f"{name}_n": n_tokens,
        f"{name}_ms": duration_ms,
        # Never null: clients, such as the web page of llama.cpp's server, format these without a check.
        f"{name}_per_token_ms": duration_ms / n_tokens if n_tokens else 0.0,
        f"{name}_per_second": 1e3 * n_tokens / duration_ms if duration_ms else 0.0,
    }


def _drafts(timings: Timings) -> JsonObject:
    if not timings.HasField("draft_tokens"):
        return {}
    return {"draft_n": timings.draft_tokens, "draft_n_accepted": timings.draft_accepted}
