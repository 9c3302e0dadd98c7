"""GET /health in the shape of today: one word, or an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.native.health.answer import HealthAnswer, HealthReply
from rest_adapter.http.error_forms import ErrorForm, error_body
from rest_adapter.http.http_errors import HttpError
from rest_adapter.json.encoding import encode
from slotline.v1.model_pb2 import (
    SERVER_STATE_DRAINING,
    SERVER_STATE_FAILED,
    SERVER_STATE_READY,
    SERVER_STATE_STALLED,
    HealthResponse,
)

if TYPE_CHECKING:
    from rest_adapter.json.encoding import JsonObject


def _refusal(message: str, status: int = 503) -> HealthAnswer:
    kind = "unavailable_error" if status == 503 else "server_error"
    return HealthAnswer(status, encode(error_body(ErrorForm.NATIVE, HttpError(status, kind, message))))


#: The first is byte for byte that of llama.cpp's server, whose clients wait while they get it.
LOADING = _refusal("Loading model")
STALLED = _refusal("The model does not get on with its work")
FAILED = _refusal("The model could not be loaded", 500)
_DRAINING = _refusal("The server is going down")
_NO_SLOT = _refusal("no slot available")


def health_answer(
    health: HealthResponse, *, fails_without_slot: bool, slots: list[JsonObject] | None = None
) -> HealthAnswer:
    """The answer for a state of the core.

    Args:
        health: what the core reports.
        fails_without_slot: answer with 503 when no slot is idle.
        slots: the array of GET /slots, to be put into the answer.
    """
    if health.state == SERVER_STATE_FAILED:
        return FAILED
    if health.state == SERVER_STATE_STALLED:
        return STALLED
    if health.state == SERVER_STATE_DRAINING:
        return _DRAINING
    if health.state != SERVER_STATE_READY:
        return LOADING
    if fails_without_slot and not health.slots_idle:
        return _NO_SLOT
    return HealthAnswer(200, encode({"status": "ok"} | ({} if slots is None else {"slots": slots})))


REPLY = HealthReply(LOADING, STALLED, FAILED, health_answer)
