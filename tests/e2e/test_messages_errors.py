"""What goes wrong under /v1/messages, as the official Anthropic client tells it."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anthropic
import pytest
import requests

from tests.support.server import PATIENCE_S, Server
from tests.support.waiting import wait_for_load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anthropic.types import MessageParam

    from tests.support.server_pool import ServerPool

KEY = "sk-test"
PATH, COUNT = "/v1/messages", "/v1/messages/count_tokens"
QUESTION: list[MessageParam] = [{"role": "user", "content": "What is the capital of Germany?"}]
BODY: dict[str, Any] = {"model": "any", "max_tokens": 1, "messages": QUESTION}
# Longer than any test waits.
ENDLESS = {"ignore_eos": True, "truncate": True}


@pytest.fixture(scope="module")
def small(servers: ServerPool) -> Server:
    """One slot, one place in the queue, keys, no embeddings."""
    return servers.get("-c", "512", "-np", "1", "--max-queue", "1", "--metrics", "--api-key", KEY)


@pytest.fixture
def client(small: Server) -> Iterator[anthropic.Anthropic]:
    """A client that does not retry, so that each answer is the first one."""
    with anthropic.Anthropic(base_url=small.rest_url, api_key=KEY, max_retries=0, timeout=PATIENCE_S) as client:
        yield client


@contextmanager
def full(client: anthropic.Anthropic, server: Server) -> Iterator[None]:
    """A server whose slot and whose queue are taken inside the context."""

    def wait_in_queue() -> None:
        client.messages.create(**BODY)
        answered.set()

    answered = threading.Event()
    running = client.messages.create(
        model="any", max_tokens=100_000, messages=QUESTION, stream=True, extra_body=ENDLESS
    )
    try:
        waiting = threading.Thread(target=wait_in_queue)
        waiting.start()
        wait_for_load(server, processing=1, deferred=1, key=KEY)
        yield
    finally:
        running.close()
    assert answered.wait(PATIENCE_S)
    waiting.join(PATIENCE_S)


def check(error: anthropic.APIStatusError, status: int, kind: str, *words: str) -> None:
    """The error is the body's and the header's."""
    assert (error.status_code, error.type) == (status, kind)
    assert isinstance(error.body, dict)
    assert sorted(error.body) == ["error", "request_id", "type"]
    assert error.body["type"] == "error"
    assert error.request_id == error.body["request_id"]
    assert error.request_id is not None
    assert error.request_id.startswith("req_")
    for word in words:
        assert word in error.body["error"]["message"]


def test_a_wrong_key(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.AuthenticationError) as raised:
        client.with_options(api_key="wrong").messages.create(**BODY)
    check(raised.value, 401, "authentication_error")
    assert "wrong" not in raised.value.message


@pytest.mark.parametrize("headers", [{"x-api-key": KEY}, {"Authorization": f"Bearer {KEY}"}])
@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21", "1999-01-01"])
def test_keys_come_in_either_header_and_versions_do_not_matter(
    small: Server, headers: dict[str, str], version: str
) -> None:
    answer = requests.post(
        f"{small.rest_url}{PATH}?beta=true",
        json=BODY,
        headers=headers | {"anthropic-version": version, "anthropic-beta": "x,y"},
        timeout=PATIENCE_S,
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"max_tokens": "many"}, ["max_tokens", '"many" is not an integer']),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, ["content[0].source", "is missing"]),
        ({"tool_choice": {"type": "any"}}, ["tool_choice", "needs tools"]),
        # Only the core knows.
        (
            {"tools": [{"name": "f", "input_schema": {}}, {"name": "f", "input_schema": {}}]},
            ["tools[1].name", "is there twice"],
        ),
        (
            {"tools": [{"name": "f", "input_schema": {"type": "object", "properties": {"a": {"type": "wrong"}}}}]},
            ["tools[0].input_schema"],
        ),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "wrong"}}}},
            ["output_config.format.schema"],
        ),
    ],
)
@pytest.mark.parametrize("is_stream", [False, True])
def test_a_wrong_field_is_named(
    client: anthropic.Anthropic, fields: dict[str, Any], words: list[str], is_stream: bool
) -> None:
    with pytest.raises(anthropic.BadRequestError) as raised:
        client.messages.create(**BODY, stream=is_stream, extra_body=fields)
    check(raised.value, 400, "invalid_request_error", *words)


def test_a_prompt_that_does_not_fit_is_called_what_clients_look_for(client: anthropic.Anthropic) -> None:
    long: list[MessageParam] = [{"role": "user", "content": "one two three " * 400}]
    counted = client.messages.count_tokens(model="any", messages=long).input_tokens
    with pytest.raises(anthropic.BadRequestError) as raised:
        client.messages.create(model="any", max_tokens=1, messages=long)
    check(raised.value, 400, "invalid_request_error", f"prompt is too long: {counted} tokens > 512 maximum")


def test_an_answer_that_fills_the_context_says_so(client: anthropic.Anthropic) -> None:
    answer = client.messages.create(model="any", max_tokens=5000, messages=QUESTION, extra_body={"ignore_eos": True})
    assert answer.stop_reason == "model_context_window_exceeded"


def test_a_server_that_is_full_is_overloaded(client: anthropic.Anthropic, small: Server) -> None:
    with full(client, small), pytest.raises(anthropic.OverloadedError) as raised:
        client.messages.create(**BODY)
    check(raised.value, 529, "overloaded_error")
    assert int(raised.value.response.headers["Retry-After"]) >= 1


def test_a_time_limit_of_the_server(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.GatewayTimeoutError) as raised:
        client.messages.create(
            model="any", max_tokens=100_000, messages=QUESTION, extra_body=ENDLESS | {"timeout_s": 0.1}, timeout=60
        )
    check(raised.value, 504, "timeout_error")


def test_a_time_limit_in_the_middle_of_a_stream(client: anthropic.Anthropic) -> None:
    stream = client.messages.create(
        model="any", max_tokens=100_000, messages=QUESTION, stream=True, extra_body=ENDLESS | {"timeout_s": 0.5}
    )
    kinds: list[str] = []
    with pytest.raises(anthropic.APIError, match="time limit") as raised:
        kinds.extend(event.type for event in stream)
    assert kinds[0] == "message_start"
    body: Any = raised.value.body
    assert (body["type"], body["error"]["type"]) == ("error", "timeout_error")
    assert body["request_id"] == stream.response.headers["request-id"]


@pytest.mark.parametrize(
    ("method", "path", "data", "status", "kind"),
    [
        ("GET", PATH, b"", 405, "invalid_request_error"),
        ("DELETE", COUNT, b"", 405, "invalid_request_error"),
        ("POST", f"{PATH}/batches", b"{}", 404, "not_found_error"),
        ("GET", f"{PATH}/batches/x/results", b"", 404, "not_found_error"),
        ("POST", PATH, b"{", 400, "invalid_request_error"),
        ("POST", PATH, b"[]", 400, "invalid_request_error"),
        ("POST", COUNT, b"", 400, "invalid_request_error"),
        ("POST", PATH, b" " * (16 * 1024 * 1024 + 1), 413, "request_too_large"),
    ],
)
def test_every_answer_under_the_path_has_the_form_of_the_api(
    small: Server, method: str, path: str, data: bytes, status: int, kind: str
) -> None:
    answer = requests.request(
        method, f"{small.rest_url}{path}", data=data, headers={"x-api-key": KEY}, timeout=PATIENCE_S
    )
    assert answer.status_code == status
    body = json.loads(answer.text)
    assert (body["type"], body["error"]["type"]) == ("error", kind)
    assert body["request_id"] == answer.headers["request-id"]


def test_a_time_limit_of_the_client_frees_the_slot(client: anthropic.Anthropic, small: Server) -> None:
    with pytest.raises(anthropic.APITimeoutError):
        client.with_options(timeout=0.3).messages.create(
            model="any", max_tokens=20_000, messages=QUESTION, extra_body=ENDLESS
        )
    wait_for_load(small, key=KEY)
    assert client.messages.create(**BODY).usage.output_tokens == 1
