"""Paths, methods, headers and unexpected errors."""

from __future__ import annotations

import pytest

from rest_adapter.core import EMBED, GET_MODEL, LIST_MODELS, TOKENIZE
from rest_adapter.routes.table import ROUTES
from slotline.v1.model_pb2 import GetModelResponse, ListModelsResponse
from tests.support.memory_core import MemoryCore
from tests.unit.rest_adapter.clients import READY, UNREACHABLE, answer, client_of, error_of, with_state


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nope"),
        ("POST", "/nope"),
        ("GET", "/completion/"),
        ("GET", "/v1//models"),
        ("GET", "/health//"),
        ("DELETE", "/v1/nope"),
        ("GET", "/nope.js"),
        ("GET", "/page/"),
    ],
)
def test_unknown_paths(method: str, path: str) -> None:
    response = client_of(MemoryCore()).open(path, method=method)
    assert response.status_code == 404
    assert error_of(response)["type"] == "not_found_error"
    assert error_of(response)["message"].endswith("there is no such path")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/completion", "OPTIONS, POST"),
        ("PUT", "/v1/chat/completions", "OPTIONS, POST"),
        ("POST", "/health", "GET, HEAD, OPTIONS"),
        ("DELETE", "/slots", "GET, HEAD, OPTIONS"),
        ("GET", "/infill", "OPTIONS, POST"),
        ("GET", "/embedding", "OPTIONS, POST"),
        ("GET", "/v1/embeddings", "OPTIONS, POST"),
        ("GET", "/v1/completions", "OPTIONS, POST"),
        ("POST", "/props", "GET, HEAD, OPTIONS"),
        ("POST", "/metrics", "GET, HEAD, OPTIONS"),
        ("POST", "/", "GET, HEAD, OPTIONS"),
    ],
)
def test_other_methods(method: str, path: str, allow: str) -> None:
    response = client_of(MemoryCore()).open(path, method=method)
    assert (response.status_code, response.headers["Allow"]) == (405, allow)
    assert error_of(response)["message"] == f"{method} {path}: this path takes {allow}"


@pytest.mark.parametrize("path", ["/completion", "/v1/embeddings", "/props", "/nope", "/metrics", "/"])
@pytest.mark.parametrize("origin", ["http://my.super.domain", None])
def test_preflight_on_any_path(path: str, origin: str | None) -> None:
    headers = {"Origin": origin} if origin else {}
    response = client_of(MemoryCore()).options(path, headers=headers)
    assert (response.status_code, response.data) == (200, b"")
    assert response.headers["Access-Control-Allow-Origin"] == (origin or "")
    assert response.headers["Access-Control-Allow-Credentials"] == "true"
    assert response.headers["Access-Control-Allow-Methods"] == "POST"
    assert response.headers["Access-Control-Allow-Headers"] == "*"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/completion", b"{}"),
        ("POST", "/completion", b'{"stream":true}'),
        ("POST", "/completion", b"{"),
        ("POST", "/v1/chat/completions", b"{}"),
        ("POST", "/tokenize", b"{}"),
        ("POST", "/infill", b"{}"),
        ("POST", "/embedding", b"{}"),
        ("POST", "/v1/embeddings", b'{"input":[]}'),
        ("GET", "/props", b""),
        ("GET", "/v1/models", b""),
        ("GET", "/completion", b""),
    ],
)
@pytest.mark.parametrize("origin", ["http://localhost:3000", None])
def test_answers_echo_the_origin(method: str, path: str, body: bytes, origin: str | None) -> None:
    core = MemoryCore(
        answer,
        {LIST_MODELS.path: ListModelsResponse(), GET_MODEL.path: GetModelResponse(), EMBED.path: UNREACHABLE},
    )
    headers = {"Origin": origin} if origin else {}
    response = client_of(core).open(path, method=method, data=body, headers=headers)
    assert response.headers["Access-Control-Allow-Origin"] == (origin or "")
    assert response.headers["Server"] == "slotline"


def test_head_is_answered_like_get_without_a_body() -> None:
    response = client_of(with_state(READY)).head("/health")
    assert (response.status_code, response.data) == (200, b"")
    assert response.headers["Content-Length"] == str(len(b'{"slots_idle":1,"slots_processing":1,"status":"ok"}'))


def test_an_unexpected_error_is_logged_and_hidden(caplog: pytest.LogCaptureFixture) -> None:
    core = MemoryCore(unary={TOKENIZE.path: ZeroDivisionError("secret")})
    response = client_of(core).post("/tokenize", json={"content": "x"})
    assert error_of(response)["message"] == "the adapter failed to answer; its log has the reason"
    assert "ZeroDivisionError: secret" in caplog.text


def test_routes_do_not_overlap() -> None:
    pairs = [(route.method, path) for route in ROUTES for path in route.paths]
    assert len(pairs) == len(set(pairs))
