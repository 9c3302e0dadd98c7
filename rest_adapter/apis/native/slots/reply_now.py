"""GET /slots in the shape of today: what every slot does, without the texts of its request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.settings_now import Asked, params_now
from slotline.v1.model_pb2 import SLOT_STATE_IDLE, Slot

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rest_adapter.json.encoding import JsonObject


def slots_json(slots: Iterable[Slot], *, speculates: bool) -> list[JsonObject]:
    """The array of GET /slots.

    Args:
        slots: in order of their ids.
        speculates: whether the server tries tokens ahead.
    """
    return [_slot(slot, speculates=speculates) for slot in slots]


def is_idle(shown: JsonObject) -> bool:
    """Whether a slot of the array has no request."""
    return not shown["is_processing"]


def _slot(slot: Slot, *, speculates: bool) -> JsonObject:
    shown: JsonObject = {
        "id": slot.id,
        "n_ctx": slot.settings.n_ctx,
        "speculative": speculates,
        "is_processing": slot.state != SLOT_STATE_IDLE,
    }
    return shown | _task(slot) if slot.HasField("task_id") else shown


def _task(slot: Slot) -> JsonObject:
    """What there is to tell of the current task, or of the last one, of which nothing is left to do."""
    runs = slot.state != SLOT_STATE_IDLE
    return {
        "id_task": slot.task_id,
        # Those in the slot: the prompt and what was generated.
        "n_prompt_tokens": slot.cached_tokens,
        "n_prompt_tokens_processed": max(0, slot.prompt_tokens_done - slot.prompt_tokens_cached),
        "n_prompt_tokens_cache": slot.prompt_tokens_cached,
        # The core does not know whether the client asked for a stream: it always streams to the adapter.
        "params": params_now(slot.settings, Asked(is_stream=True)),
        "next_token": [
            {
                "has_next_token": slot.has_next_token,
                "n_remain": slot.tokens_remaining if runs and slot.HasField("tokens_remaining") else -1,
                "n_decoded": slot.tokens_predicted if runs else 0,
            }
        ],
    }
