"""GET /health over a core in memory."""

from __future__ import annotations

import json

import pytest
from grpc import StatusCode

from rest_adapter.errors import RpcFailure
from slotline.v1.model_pb2 import (
    SERVER_STATE_FAILED,
    SERVER_STATE_LOADING,
    SERVER_STATE_READY,
    SERVER_STATE_STALLED,
    SLOT_STATE_DECODE,
    SLOT_STATE_IDLE,
    HealthResponse,
)
from tests.unit.rest_adapter.clients import READY, UNREACHABLE, client_of, with_state

BUSY = HealthResponse(state=SERVER_STATE_READY, slots_idle=0, slots_processing=2)


FREE_BODY = b'{"slots_idle":1,"slots_processing":1,"status":"ok"}'


BUSY_BODY = b'{"slots_idle":0,"slots_processing":2,"status":"no slot available"}'


LOADING_BODY = b'{"status": "loading model"}'


STALLED_BODY = b'{"status": "stalled"}'


@pytest.mark.parametrize(
    ("health", "query", "status", "body"),
    [
        (READY, "", 200, FREE_BODY),
        (READY, "?fail_on_no_slot", 200, FREE_BODY),
        (BUSY, "", 200, BUSY_BODY),
        (BUSY, "?fail_on_no_slot", 503, BUSY_BODY),
        (BUSY, "?fail_on_no_slot=0", 503, BUSY_BODY),
        (HealthResponse(state=SERVER_STATE_LOADING), "", 503, LOADING_BODY),
        (HealthResponse(state=SERVER_STATE_LOADING), "?include_slots", 503, LOADING_BODY),
        (HealthResponse(state=SERVER_STATE_FAILED), "", 500, b'{"status": "error"}'),
        (UNREACHABLE, "", 503, LOADING_BODY),
        (HealthResponse(state=SERVER_STATE_STALLED), "?include_slots", 503, STALLED_BODY),
        (RpcFailure(StatusCode.DEADLINE_EXCEEDED, "", "slow"), "", 503, STALLED_BODY),
    ],
)
@pytest.mark.parametrize("path", ["/health", "/v1/health"])
def test_health(path: str, health: HealthResponse | Exception, query: str, status: int, body: bytes) -> None:
    response = client_of(with_state(health)).get(path + query)
    assert (response.status_code, response.data) == (status, body)
    assert response.headers["Content-Type"] == "application/json"


def test_health_can_include_slots() -> None:
    core = with_state(READY, SLOT_STATE_IDLE, SLOT_STATE_DECODE)
    body = json.loads(client_of(core).get("/health?include_slots=0").data)
    assert [(slot["id"], slot["state"]) for slot in body["slots"]] == [(0, 0), (1, 1)]
    assert (body["slots_idle"], body["slots_processing"], body["status"]) == (1, 1, "ok")
