"""Routes that tell the state, and routes for tokens, over a core in memory."""

from __future__ import annotations

import json

import pytest
from google.protobuf.message import Message
from grpc import StatusCode

from rest_adapter.core import DETOKENIZE, LIST_MODELS, LIST_SLOTS, TOKENIZE
from rest_adapter.errors import RpcFailure
from slotline.v1.model_pb2 import (
    SERVER_STATE_FAILED,
    SERVER_STATE_LOADING,
    SERVER_STATE_READY,
    SLOT_STATE_DECODE,
    SLOT_STATE_IDLE,
    HealthResponse,
)
from slotline.v1.tokenization_pb2 import DetokenizeResponse, TokenizeResponse
from tests.support.memory_core import MemoryCore
from tests.unit.rest_adapter.clients import JSON, READY, UNREACHABLE, client_of, with_state

BUSY = HealthResponse(state=SERVER_STATE_READY, slots_idle=0, slots_processing=2)
FREE_BODY = b'{"slots_idle":1,"slots_processing":1,"status":"ok"}'
BUSY_BODY = b'{"slots_idle":0,"slots_processing":2,"status":"no slot available"}'
LOADING_BODY = b'{"status": "loading model"}'


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
        (RpcFailure(StatusCode.DEADLINE_EXCEEDED, "", "slow"), "", 503, LOADING_BODY),
    ],
)
@pytest.mark.parametrize("path", ["/health", "/v1/health"])
def test_health(path: str, health: HealthResponse | Exception, query: str, status: int, body: bytes) -> None:
    response = client_of(with_state(health)).get(path + query)
    assert (response.status_code, response.data) == (status, body)
    assert response.headers["Content-Type"] == "application/json"
    assert "Access-Control-Allow-Origin" not in response.headers


def test_health_can_include_slots() -> None:
    core = with_state(READY, SLOT_STATE_IDLE, SLOT_STATE_DECODE)
    body = json.loads(client_of(core).get("/health?include_slots=0").data)
    assert [(slot["id"], slot["state"]) for slot in body["slots"]] == [(0, 0), (1, 1)]
    assert (body["slots_idle"], body["slots_processing"], body["status"]) == (1, 1, "ok")


def test_slots() -> None:
    response = client_of(with_state(READY, SLOT_STATE_IDLE, SLOT_STATE_DECODE)).get("/slots")
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
    assert [(slot["id"], slot["model"]) for slot in json.loads(response.data)] == [(0, "m.gguf"), (1, "m.gguf")]


@pytest.mark.parametrize("path", ["/v1/models", "/models"])
def test_models(path: str) -> None:
    response = client_of(with_state(READY)).get(path)
    assert response.content_type == JSON
    assert [model["id"] for model in json.loads(response.data)["data"]] == ["m.gguf"]


@pytest.mark.parametrize("path", ["/v1/models", "/slots"])
def test_state_of_a_core_that_is_not_there(path: str) -> None:
    unary: dict[str, Message | Exception] = {LIST_MODELS.path: UNREACHABLE, LIST_SLOTS.path: UNREACHABLE}
    response = client_of(MemoryCore(unary=unary)).get(path)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"


def test_tokenize() -> None:
    core = MemoryCore(unary={TOKENIZE.path: TokenizeResponse(ids=[1, 2])})
    response = client_of(core).post("/tokenize", json={"content": "ab"})
    assert (response.data, response.content_type) == (b'{"tokens":[1,2]}', JSON)


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"content":""}'])
def test_tokenizing_nothing_needs_no_core(body: bytes) -> None:
    assert client_of(MemoryCore()).post("/tokenize", data=body).data == b'{"tokens":[]}'


def test_detokenize() -> None:
    core = MemoryCore(unary={DETOKENIZE.path: DetokenizeResponse(text="é")})
    response = client_of(core).post("/detokenize", json={"tokens": [5]})
    assert (response.data, response.content_type) == ('{"content":"é"}'.encode(), JSON)


@pytest.mark.parametrize("body", [b"{}", b'{"tokens":[]}'])
def test_detokenizing_nothing_needs_no_core(body: bytes) -> None:
    assert client_of(MemoryCore()).post("/detokenize", data=body).data == b'{"content":""}'
