"""Fields of vLLM and of llama.cpp's server of today whose meaning exists in the contract under another name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.fields import read_bool, read_float, read_int, read_list, read_token_id
from rest_adapter.errors import UNSUPPORTED, InvalidRequest
from rest_adapter.json.encoding import show
from rest_adapter.json.number_bounds import UINT32

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slotline.v1.generation_pb2 import GenerateRequest


def apply_synonyms(request: GenerateRequest, body: Mapping[str, object]) -> None:
    """Set what these fields say. Call it after the options, which take precedence where both mean the same.

    Raises:
        InvalidRequest: a field has a value that is not allowed.
    """
    if (value := body.get("min_tokens")) is not None:
        request.stop.min_tokens = read_int("min_tokens", value, UINT32)
    if (value := body.get("stop_token_ids")) is not None:
        ids = read_list("stop_token_ids", value, "token ids")
        request.stop.token_ids.extend(read_token_id(f"stop_token_ids[{i}]", token) for i, token in enumerate(ids))
    if (value := body.get("include_stop_str_in_output")) is not None:
        request.stop.include_match = read_bool("include_stop_str_in_output", value)
    if (value := body.get("id_slot")) is not None:
        slot = read_int("id_slot", value)
        if slot >= 0 and not request.cache.HasField("slot_id"):
            request.cache.slot_id = slot
    if (value := body.get("repetition_penalty")) is not None:
        _turn_off_penalty(request, read_float("repetition_penalty", value), value)


def _turn_off_penalty(request: GenerateRequest, penalty: float, value: object) -> None:
    """Accept 1, which is off everywhere. Other values would mean something else here: over other tokens."""
    if penalty != 1:
        problem = f"{show(value)} is not supported; allowed is 1, or send repeat_penalty and repeat_last_n"
        raise InvalidRequest("repetition_penalty", problem, UNSUPPORTED)
    if not request.sampling.HasField("repeat_penalty"):
        request.sampling.repeat_penalty = 1.0
