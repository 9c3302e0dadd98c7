"""POST /slots/{id}: from path, query and body to requests."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from rest_adapter.apis.common.fields import read_str, refusal
from rest_adapter.errors import MISSING, InvalidRequest
from rest_adapter.json.number_bounds import UINT32
from slotline.v1.slot_files_pb2 import EraseSlotRequest, RestoreSlotRequest, SaveSlotRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rest_adapter.errors import RpcFailure

SlotActionRequest = SaveSlotRequest | RestoreSlotRequest | EraseSlotRequest


class SlotAction(enum.Enum):
    """What to do with a slot."""

    SAVE = "save"
    RESTORE = "restore"
    ERASE = "erase"


def read_slot_id(text: str) -> int:
    """The number of a slot in a path.

    Raises:
        InvalidRequest: it is none. Whether there is such a slot is for the core to say.
    """
    digits = text.lstrip("0") or "0"
    # As many digits as the largest number has, and no more: Python refuses to read thousands.
    if not (text.isascii() and text.isdecimal() and len(digits) <= len(str(UINT32[1]))) or int(digits) > UINT32[1]:
        raise refusal("id_slot", text, "the number of a slot, from 0")
    return int(digits)


def read_action(action: str | None) -> SlotAction:
    """The action in a query.

    Raises:
        InvalidRequest: it is missing or unknown.
    """
    allowed = ", ".join(one.value for one in SlotAction)
    if action is None:
        raise InvalidRequest("action", f"is missing in the query; allowed: {allowed}", MISSING)
    if action not in {one.value for one in SlotAction}:
        raise refusal("action", action, f"one of {allowed}")
    return SlotAction(action)


def read_slot_action(body: Mapping[str, object], slot_id: int, action: SlotAction) -> SlotActionRequest:
    """The request for a slot.

    Raises:
        InvalidRequest: there is no name of a file where one is needed, or it is not a string.
    """
    if action is SlotAction.ERASE:
        return EraseSlotRequest(slot_id=slot_id)
    filename = body.get("filename")
    if filename is None:
        raise InvalidRequest("filename", "is missing; the name of a file is needed", MISSING)
    kind = SaveSlotRequest if action is SlotAction.SAVE else RestoreSlotRequest
    return kind(slot_id=slot_id, filename=read_str("filename", filename))


def rename_fields(failure: RpcFailure) -> RpcFailure:
    """A failure with the names that fields have in answers."""
    return failure.renamed(lambda path: "id_slot" if path == "slot_id" else path)
