"""GET /health: the four documented answers, and one of our own, stalled."""

from __future__ import annotations

from rest_adapter.apis.native.health.answer import HealthAnswer, HealthReply
from rest_adapter.json.encoding import JsonObject, encode
from slotline.v1.model_pb2 import (
    SERVER_STATE_DRAINING,
    SERVER_STATE_FAILED,
    SERVER_STATE_READY,
    SERVER_STATE_STALLED,
    HealthResponse,
)

#: Byte for byte as documented, with the blanks.
LOADING = HealthAnswer(503, b'{"status": "loading model"}')
STALLED = HealthAnswer(503, b'{"status": "stalled"}')
FAILED = HealthAnswer(500, b'{"status": "error"}')


def health_answer(
    health: HealthResponse, *, fails_without_slot: bool, slots: list[JsonObject] | None = None
) -> HealthAnswer:
    """The answer for a state of the core.

    Args:
        health: what the core reports.
        fails_without_slot: answer with 503 when no slot is idle.
        slots: the array of GET /slots, to be put into the answer. The numbers are then counted from it, so that they
            agree with it.
    """
    if health.state == SERVER_STATE_FAILED:
        return FAILED
    if health.state == SERVER_STATE_STALLED:
        return STALLED
    if health.state not in (SERVER_STATE_READY, SERVER_STATE_DRAINING):
        return LOADING
    idle, processing = health.slots_idle, health.slots_processing
    if slots is not None:
        processing = sum(slot["state"] for slot in slots)
        idle = len(slots) - processing
    # A core that is about to stop takes no new requests, even if it has idle slots.
    is_draining = health.state == SERVER_STATE_DRAINING
    has_slot = idle > 0 and not is_draining
    body: JsonObject = {
        "slots_idle": idle,
        "slots_processing": processing,
        "status": "ok" if has_slot else "no slot available",
    }
    if slots is not None:
        body["slots"] = slots
    fails = is_draining or (fails_without_slot and not has_slot)
    return HealthAnswer(503 if fails else 200, encode(body))


REPLY = HealthReply(LOADING, STALLED, FAILED, health_answer)
