"""A Flask client over a core in memory, for the tests of this folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from grpc import StatusCode

from rest_adapter.app import create_app
from rest_adapter.config import RestConfig
from rest_adapter.core.calls import HEALTH, LIST_MODELS, LIST_SLOTS
from rest_adapter.errors import RpcFailure
from rest_adapter.http.error_forms import ErrorForm, error_form
from slotline.v1.model_pb2 import (
    SERVER_STATE_READY,
    HealthResponse,
    ListModelsResponse,
    ListSlotsResponse,
    Model,
    Slot,
)
from tests.support.memory_core import Answer, MemoryCore
from tests.unit.rest_adapter.messages import accepted, delta, finished, settings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from slotline.v1.generation_pb2 import GenerateRequest

JSON = "application/json; charset=utf-8"
UNREACHABLE = RpcFailure(StatusCode.UNAVAILABLE, "", "the core cannot be reached", retry_after_s=1.0)
USER = [{"role": "user", "content": "Hi"}]


def answer(request: GenerateRequest) -> Iterable[Answer]:
    return accepted(), delta("a"), delta("b"), finished()


def client_of(core: MemoryCore, config: RestConfig | None = None, **limits: Any) -> FlaskClient:
    return create_app(core, config or RestConfig(), **limits).test_client()


def error_of(response: TestResponse) -> dict[str, Any]:
    """The error in an answer, which must have the form of the route."""
    assert response.content_type == JSON
    body = json.loads(response.data)
    error = body["error"]
    assert isinstance(error, dict)
    form = error_form(response.request.path)
    if form is ErrorForm.ANTHROPIC:
        assert sorted(body) == ["error", "request_id", "type"]
        assert body["type"] == "error"
        assert body["request_id"] == response.headers["request-id"]
        assert sorted(error) == ["message", "type"]
        return error
    assert list(body) == ["error"]
    if form is ErrorForm.OPENAI:
        assert all(error[name] is None or isinstance(error[name], str) for name in ("code", "param"))
    else:
        assert error["code"] == response.status_code
        assert "param" not in error
    return error


READY = HealthResponse(state=SERVER_STATE_READY, slots_idle=1, slots_processing=1)


def with_state(health: HealthResponse | Exception, *states: Any) -> MemoryCore:
    slots = [Slot(id=i, state=state, settings=settings()) for i, state in enumerate(states)]
    return MemoryCore(
        unary={
            HEALTH.path: health,
            LIST_SLOTS.path: ListSlotsResponse(slots=slots),
            LIST_MODELS.path: ListModelsResponse(models=[Model(name="m.gguf")]),
        }
    )
