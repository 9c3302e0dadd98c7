"""POST /slots/{id}: answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.protobuf.duration_pb2 import Duration

    from rest_adapter.json.encoding import JsonObject
    from slotline.v1.slot_files_pb2 import EraseSlotResponse, RestoreSlotResponse, SaveSlotResponse


def saved_json(slot_id: int, filename: str, response: SaveSlotResponse) -> JsonObject:
    """That a slot was saved."""
    return {
        "id_slot": slot_id,
        "filename": filename,
        "n_saved": response.saved_tokens,
        "n_written": response.written_bytes,
        "timings": {"save_ms": _milliseconds(response.duration)},
    }


def restored_json(slot_id: int, filename: str, response: RestoreSlotResponse) -> JsonObject:
    """That a slot was restored."""
    return {
        "id_slot": slot_id,
        "filename": filename,
        "n_restored": response.restored_tokens,
        "n_read": response.read_bytes,
        "timings": {"restore_ms": _milliseconds(response.duration)},
    }


def erased_json(slot_id: int, response: EraseSlotResponse) -> JsonObject:
    """That a slot was erased."""
    return {"id_slot": slot_id, "n_erased": response.erased_tokens}


def _milliseconds(duration: Duration) -> float:
    return duration.ToMicroseconds() / 1000
