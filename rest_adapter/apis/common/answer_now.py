"""A whole answer as the native routes give it in the shape of today."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.ending import Ending
from rest_adapter.apis.common.timings import timings_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rest_adapter.json.encoding import JsonObject
    from slotline.v1.generation_pb2 import Accepted, Finished


def answer_now(
    accepted: Accepted,
    end: Finished,
    *,
    index: int,
    settings: JsonObject,
    content: str = "",
    token_ids: Sequence[int] = (),
) -> JsonObject:
    """An answer that is over, without probabilities.

    Args:
        accepted: where it ran, with the prompt as text if that was asked for.
        end: how it ended.
        index: its number among all answers of the body.
        settings: those in force.
        content: the text, but in a stream, whose events had it.
        token_ids: those of the text, if they were asked for.
    """
    return {
        "content": content,
        "generation_settings": settings,
        "has_new_line": end.has_line_break,
        "id_slot": end.slot_id,
        "index": index,
        "model": accepted.model,
        "prompt": accepted.prompt_text,
        "stop": True,
        "stop_type": _stop_type(end),
        "stopping_word": Ending.of(end).stop_text,
        "timings": timings_now(end.timings),
        "tokens": list(token_ids),
        "tokens_cached": end.tokens_cached,
        "tokens_evaluated": end.tokens_evaluated,
        "tokens_predicted": end.tokens_predicted,
        "truncated": end.truncated,
    }


def _stop_type(end: Finished) -> str:
    """Why an answer ended, in a word: what the text says counts before a limit."""
    ending = Ending.of(end)
    kinds = (("eos", ending.is_eos), ("word", ending.is_word), ("limit", ending.is_limit))
    return next((kind for kind, is_so in kinds if is_so), "none")
