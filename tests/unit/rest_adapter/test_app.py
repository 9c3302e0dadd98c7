"""Paths, methods and unexpected errors."""

from __future__ import annotations

import pytest

from rest_adapter.apis.routes import ROUTES
from rest_adapter.core.calls import TOKENIZE
from tests.support.memory_core import MemoryCore
from tests.unit.rest_adapter.clients import READY, client_of, error_of, with_state


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
        ("DELETE", "/slots", "GET, HEAD, OPTIONS"),
        ("GET", "/infill", "OPTIONS, POST"),
        ("GET", "/embedding", "OPTIONS, POST"),
        ("GET", "/v1/embeddings", "OPTIONS, POST"),
        ("GET", "/v1/completions", "OPTIONS, POST"),
        ("DELETE", "/props", "GET, HEAD, OPTIONS, POST"),
        ("POST", "/health", "GET, HEAD, OPTIONS"),
        ("POST", "/metrics", "GET, HEAD, OPTIONS"),
        ("POST", "/", "GET, HEAD, OPTIONS"),
    ],
)
def test_other_methods(method: str, path: str, allow: str) -> None:
    response = client_of(MemoryCore()).open(path, method=method)
    assert (response.status_code, response.headers["Allow"]) == (405, allow)
    assert error_of(response)["message"] == f"{method} {path}: this path takes {allow}"


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
