"""GET /v1/models over a core in memory, and states of a core that is not there."""

from __future__ import annotations

import json

import pytest
from grpc import StatusCode

from rest_adapter.config import RestConfig
from rest_adapter.core.calls import GET_METRICS, GET_MODEL, LIST_MODELS, LIST_SLOTS
from rest_adapter.errors import RpcFailure
from slotline.v1.model_pb2 import (
    GetModelRequest,
    GetModelResponse,
    Model,
)
from tests.support.memory_core import MemoryCore
from tests.unit.rest_adapter.clients import JSON, READY, UNREACHABLE, client_of, error_of, with_state


@pytest.mark.parametrize("path", ["/v1/models", "/models"])
def test_models(path: str) -> None:
    response = client_of(with_state(READY)).get(path)
    assert response.content_type == JSON
    assert [model["id"] for model in json.loads(response.data)["data"]] == ["m.gguf"]


@pytest.mark.parametrize("path", ["/v1/models/", "/models/"])
@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("m.gguf", "m.gguf"),
        # Any name will do, as in chats.
        ("gpt-4", "gpt-4"),
        ("org/m%20%C3%A9.gguf", "org/m é.gguf"),
        # Paths of files are not repeated.
        ("/models/m%20%C3%A9.gguf", "served"),
        ("%2Fmodels%2Fm.gguf", "served"),
        ("../m/", "../m/"),
        ("a%3Fb", "a?b"),
    ],
)
def test_one_model_by_its_name(path: str, written: str, name: str) -> None:
    core = MemoryCore(unary={GET_MODEL.path: GetModelResponse(model=Model(name="served"))})
    response = client_of(core).get(path + written)
    body = json.loads(response.data)
    assert response.content_type == JSON
    assert (body["id"], body["object"], body["owned_by"]) == (name, "model", "llamacpp")
    assert core.unary_requests == [GetModelRequest()]


def test_a_model_of_a_core_that_is_loading() -> None:
    failure = RpcFailure(StatusCode.UNAVAILABLE, "MODEL_LOADING", "wait")
    response = client_of(MemoryCore(unary={GET_MODEL.path: failure})).get("/v1/models/other")
    assert response.status_code == 503
    assert error_of(response)["message"] == "wait"


@pytest.mark.parametrize("path", ["/v1/models", "/slots", "/props", "/metrics"])
def test_state_of_a_core_that_is_not_there(path: str) -> None:
    core = MemoryCore(unary={method.path: UNREACHABLE for method in (LIST_MODELS, LIST_SLOTS, GET_MODEL, GET_METRICS)})
    response = client_of(core, RestConfig(metrics=True)).get(path)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"
