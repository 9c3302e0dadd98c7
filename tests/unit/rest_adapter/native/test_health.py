"""The answers of GET /health."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rest_adapter.apis.native.health.reply_2024 import health_answer
from slotline.v1.model_pb2 import (
    SERVER_STATE_DRAINING,
    SERVER_STATE_FAILED,
    SERVER_STATE_LOADING,
    SERVER_STATE_READY,
    SERVER_STATE_STALLED,
    SERVER_STATE_UNSPECIFIED,
    HealthResponse,
    ServerState,
)

if TYPE_CHECKING:
    from rest_adapter.json.encoding import JsonObject

FREE = '{"slots_idle":1,"slots_processing":2,"status":"ok"}'


BUSY = '{"slots_idle":0,"slots_processing":3,"status":"no slot available"}'


@pytest.mark.parametrize(
    ("state", "idle", "processing", "fails_without_slot", "status", "body"),
    [
        (SERVER_STATE_LOADING, 0, 0, False, 503, '{"status": "loading model"}'),
        (SERVER_STATE_UNSPECIFIED, 0, 0, True, 503, '{"status": "loading model"}'),
        (SERVER_STATE_STALLED, 1, 1, False, 503, '{"status": "stalled"}'),
        (SERVER_STATE_FAILED, 0, 0, False, 500, '{"status": "error"}'),
        (SERVER_STATE_READY, 1, 2, False, 200, FREE),
        (SERVER_STATE_READY, 1, 2, True, 200, FREE),
        (SERVER_STATE_READY, 0, 3, False, 200, BUSY),
        (SERVER_STATE_READY, 0, 3, True, 503, BUSY),
        (SERVER_STATE_DRAINING, 0, 3, False, 503, BUSY),
        (
            SERVER_STATE_DRAINING,
            1,
            2,
            False,
            503,
            '{"slots_idle":1,"slots_processing":2,"status":"no slot available"}',
        ),
    ],
)
def test_health(
    state: ServerState.ValueType, idle: int, processing: int, fails_without_slot: bool, status: int, body: str
) -> None:
    health = HealthResponse(state=state, slots_idle=idle, slots_processing=processing)
    answer = health_answer(health, fails_without_slot=fails_without_slot)
    assert (answer.status, answer.body.decode()) == (status, body)


def test_health_with_slots_counts_the_slots_that_it_shows() -> None:
    health = HealthResponse(state=SERVER_STATE_READY, slots_idle=2)
    slots: list[JsonObject] = [{"id": 0, "state": 1}, {"id": 1, "state": 0}]
    answer = health_answer(health, fails_without_slot=True, slots=slots)
    assert answer.body.decode() == (
        '{"slots":[{"id":0,"state":1},{"id":1,"state":0}],"slots_idle":1,"slots_processing":1,"status":"ok"}'
    )


def test_health_with_slots_that_are_all_busy_fails_if_asked_to() -> None:
    health = HealthResponse(state=SERVER_STATE_READY, slots_idle=1)
    assert health_answer(health, fails_without_slot=True, slots=[{"id": 0, "state": 1}]).status == 503
