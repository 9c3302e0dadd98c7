"""POST /v1/messages and /v1/messages/count_tokens through the application, over a core in memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from grpc import StatusCode

from rest_adapter.config import RestConfig
from rest_adapter.core.calls import TOKENIZE
from rest_adapter.errors import RpcFailure
from slotline.v1.tokenization_pb2 import TokenizeResponse
from tests.support.memory_core import Answer, MemoryCore, Silence
from tests.unit.rest_adapter.clients import UNREACHABLE, client_of, error_of
from tests.unit.rest_adapter.messages import accepted, delta, invalid_argument, stopped_at_eos

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

PATH, COUNT = "/v1/messages", "/v1/messages/count_tokens"
USER = {"role": "user", "content": "Hi"}


def post(*answers: Answer, config: RestConfig | None = None, **body: Any) -> TestResponse:
    core = MemoryCore(lambda request: answers)
    return client_of(core, config).post(PATH, json={"messages": [USER], **body})


def events(response: TestResponse) -> list[tuple[str, Any]]:
    """Names and data of a stream; names are those of the data."""
    assert response.content_type == "text/event-stream; charset=utf-8"
    found = []
    for event in response.get_data(as_text=True).removesuffix("\n\n").split("\n\n"):
        name, data = event.split("\n")
        value = json.loads(data.removeprefix("data: "))
        assert name == f"event: {value['type']}"
        found.append((value["type"], value))
    return found


def test_an_answer_has_the_id_of_its_request() -> None:
    response = post(accepted(), delta("a"), stopped_at_eos())
    assert response.status_code == 200
    assert response.headers["request-id"].startswith("req_")
    assert response.get_json()["content"] == [{"type": "text", "text": "a"}]
    again = post(accepted(), delta("a"), stopped_at_eos())
    assert again.headers["request-id"] != response.headers["request-id"]
    assert again.get_json()["id"] != response.get_json()["id"]


def test_other_routes_tell_no_id() -> None:
    assert "request-id" not in client_of(MemoryCore()).get("/v1/nowhere").headers


def test_a_silent_stream_has_events_of_type_ping() -> None:
    response = post(
        Silence(), accepted(), Silence(), delta("a"), stopped_at_eos(), config=RestConfig(sse_ping_s=5), stream=True
    )
    names = [name for name, _ in events(response)]
    assert names == [
        "ping",
        "message_start",
        "ping",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


def test_a_stream_that_fails_ends_with_an_error_of_the_api() -> None:
    response = post(accepted(), delta("a"), UNREACHABLE, stream=True)
    name, data = events(response)[-1]
    assert name == "error"
    assert data == {
        "type": "error",
        "error": {"type": "api_error", "message": UNREACHABLE.message},
        "request_id": response.headers["request-id"],
    }


@pytest.mark.parametrize(
    ("failure", "status", "kind"),
    [
        (invalid_argument("sampling.temperature"), 400, "invalid_request_error"),
        (RpcFailure(StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", "full", retry_after_s=2), 529, "overloaded_error"),
        (RpcFailure(StatusCode.RESOURCE_EXHAUSTED, "", "large"), 413, "request_too_large"),
        (RpcFailure(StatusCode.PERMISSION_DENIED, "", "no"), 403, "permission_error"),
        (RpcFailure(StatusCode.UNAVAILABLE, "MODEL_LOADING", "wait"), 503, "api_error"),
        (RpcFailure(StatusCode.INTERNAL, "INTERNAL", "broken"), 500, "api_error"),
        (RpcFailure(StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED", "no"), 501, "api_error"),
        (RpcFailure(StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", "late"), 504, "timeout_error"),
        (ZeroDivisionError(), 500, "api_error"),
    ],
)
@pytest.mark.parametrize("is_stream", [False, True])
def test_failures(failure: Exception, status: int, kind: str, is_stream: bool) -> None:
    response = post(failure, stream=is_stream)
    assert response.status_code == status
    assert error_of(response)["type"] == kind


def test_an_overloaded_adapter() -> None:
    core = MemoryCore(lambda request: (accepted(), stopped_at_eos()))
    client = client_of(core, max_generations=1)
    running = client.post(PATH, json={"messages": [USER], "stream": True})
    assert running.status_code == 200
    refused = client.post(PATH, json={"messages": [USER]})
    assert (refused.status_code, error_of(refused)["type"]) == (529, "overloaded_error")
    assert refused.headers["Retry-After"] == "1"
    running.close()


@pytest.mark.parametrize("path", [PATH, COUNT, f"{PATH}/batches", f"{PATH}/batches/1"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_whoever_has_no_key_is_told_in_the_form_of_the_api(path: str, method: str) -> None:
    client = client_of(MemoryCore(), RestConfig(api_keys=("k",)))
    response = client.open(path, method=method, data=b"{}")
    assert (response.status_code, error_of(response)["type"]) == (401, "authentication_error")
    allowed = client.open(path, method=method, data=b"{}", headers={"x-api-key": "k"})
    assert allowed.status_code in (400, 404, 405)
    assert error_of(allowed)["type"] in ("invalid_request_error", "not_found_error")


def test_pages_of_foreign_origins_are_told_in_the_form_of_the_api() -> None:
    response = client_of(MemoryCore()).post(PATH, json={}, headers={"Origin": "https://example.org"})
    assert (response.status_code, error_of(response)["type"]) == (403, "permission_error")


def test_tokens_are_counted_without_generating() -> None:
    core = MemoryCore(unary={TOKENIZE.path: TokenizeResponse(count=7)})
    tool = {"name": "f", "input_schema": {}}
    response = client_of(core).post(COUNT, json={"messages": [USER], "system": "Be brief.", "tools": [tool]})
    assert response.get_json() == {"input_tokens": 7}
    assert core.requests == []
    (asked,) = core.unary_requests
    assert [message.role for message in asked.chat.messages] == ["system", "user"]  # type: ignore[attr-defined]
    assert asked.chat.tools_json  # type: ignore[attr-defined]


def test_what_cannot_be_counted_is_named() -> None:
    core = MemoryCore(unary={TOKENIZE.path: invalid_argument("chat.messages[0].content")})
    response = client_of(core).post(COUNT, json={"messages": [USER]})
    assert response.status_code == 400
    assert error_of(response)["message"] == "messages[0]: is wrong"
