"""What goes wrong, as the official OpenAI client tells it, and what the client does before it gives up."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import openai
import pytest

from tests.support.server import PATIENCE_S, Server
from tests.support.waiting import wait_for_load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openai.types.chat import ChatCompletionMessageParam

    from tests.support.server_pool import ServerPool

KEY = "sk-test"
QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the capital of Germany?"}]
# Longer than any test waits.
ENDLESS = {"ignore_eos": True, "n_predict": 100_000}


@pytest.fixture(scope="module")
def small(servers: ServerPool) -> Server:
    """One slot, one place in the queue, keys, no embeddings."""
    return servers.get("-c", "512", "-np", "1", "--max-queue", "1", "--metrics", "--api-key", KEY)


@pytest.fixture
def client(small: Server) -> Iterator[openai.OpenAI]:
    """A client that does not retry, so that each answer is the first one."""
    with openai.OpenAI(base_url=f"{small.rest_url}/v1", api_key=KEY, max_retries=0, timeout=PATIENCE_S) as client:
        yield client


@contextmanager
def full(client: openai.OpenAI, server: Server) -> Iterator[ExitStack]:
    """A server whose slot and whose queue are taken until the context, or the stack that it gives, is closed."""

    def wait_in_queue() -> None:
        try:
            client.chat.completions.create(model="any", messages=QUESTION, max_tokens=1)
        finally:
            answered.set()

    answered = threading.Event()
    with ExitStack() as stack:
        running = client.completions.create(model="any", prompt="1, 2,", stream=True, extra_body=ENDLESS)
        stack.callback(running.close)
        waiting = threading.Thread(target=wait_in_queue)
        waiting.start()
        wait_for_load(server, processing=1, deferred=1, key=KEY)
        yield stack
    assert answered.wait(PATIENCE_S)
    waiting.join(PATIENCE_S)


def test_a_wrong_key(client: openai.OpenAI) -> None:
    with pytest.raises(openai.AuthenticationError) as raised:
        client.with_options(api_key="wrong").chat.completions.create(model="any", messages=QUESTION)
    error = raised.value
    assert (error.status_code, error.type, error.code) == (401, "authentication_error", "invalid_api_key")
    assert error.param is None
    assert "wrong" not in error.message


def test_the_list_of_models_needs_no_key_but_a_single_one_does(client: openai.OpenAI) -> None:
    stranger = client.with_options(api_key="wrong")
    (model,) = stranger.models.list().data
    with pytest.raises(openai.AuthenticationError):
        stranger.models.retrieve(model.id)
    assert client.models.retrieve(model.id).id == model.id


def test_a_path_that_does_not_exist(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        client.moderations.create(input="text")
    assert (raised.value.type, raised.value.code, raised.value.param) == ("not_found_error", "unknown_url", None)
    assert "/v1/moderations" in raised.value.message


def test_a_server_that_is_full_says_when_to_come_back(client: openai.OpenAI, small: Server) -> None:
    with full(client, small), pytest.raises(openai.RateLimitError) as raised:
        client.chat.completions.create(model="any", messages=QUESTION, max_tokens=1)
    error = raised.value
    assert (error.status_code, error.type, error.code) == (429, "rate_limit_error", "rate_limit_exceeded")
    assert int(error.response.headers["Retry-After"]) >= 1


def test_a_client_comes_back_when_it_was_told_to(
    client: openai.OpenAI, small: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    statuses: list[int] = []
    told: list[float] = []
    slept: list[float] = []
    this_thread = threading.current_thread()
    really_sleep = time.sleep

    def note(response: Any) -> None:
        statuses.append(response.status_code)
        told.extend(float(value) for value in [response.headers.get("Retry-After")] if value)

    def sleep(seconds: float) -> None:
        if threading.current_thread() is not this_thread:
            return really_sleep(seconds)
        slept.append(seconds)
        # Instead of the time, what it is for: the server has a free slot.
        taken.close()
        return wait_for_load(small, key=KEY)

    with openai.DefaultHttpxClient(event_hooks={"response": [note]}) as http, full(client, small) as taken:
        monkeypatch.setattr(time, "sleep", sleep)
        patient = openai.OpenAI(base_url=client.base_url, api_key=KEY, max_retries=1, http_client=http)
        answer = patient.chat.completions.create(model="any", messages=QUESTION, max_tokens=2)
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 2
    assert statuses == [429, 200]
    assert slept == told


def test_a_time_limit_of_the_server(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as raised:
        client.completions.create(model="any", prompt="1, 2,", extra_body=ENDLESS | {"timeout_s": 0.1})
    assert (raised.value.status_code, raised.value.type) == (504, "timeout_error")


def test_a_time_limit_in_the_middle_of_a_stream(client: openai.OpenAI) -> None:
    stream = client.completions.create(
        model="any", prompt="1, 2,", stream=True, extra_body=ENDLESS | {"timeout_s": 0.5}
    )
    texts: list[str] = []
    with pytest.raises(openai.APIError, match="time limit") as raised:
        texts.extend(chunk.choices[0].text for chunk in stream)
    assert "".join(texts)
    assert (raised.value.type, raised.value.code, raised.value.param) == ("timeout_error", None, None)


@pytest.mark.parametrize(
    ("options", "code", "param"),
    [
        ({"temperature": "hot"}, "invalid_type", "temperature"),
        ({"n": 1000}, "invalid_value", "n"),
        # Only the core knows how large the vocabulary is.
        ({"n_probs": 1_000_000}, "invalid_value", "n_probs"),
        ({"functions": [{"name": "f"}]}, "unsupported_parameter", "functions"),
        ({"tools": [{"type": "function", "function": {}}]}, "missing_required_parameter", "tools[0].function.name"),
        ({"messages": [{"role": "user", "content": 5}]}, "invalid_type", "messages[0].content"),
    ],
)
def test_a_wrong_field_is_the_errors_param(
    client: openai.OpenAI, options: dict[str, object], code: str, param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model="any", messages=QUESTION, extra_body=options)
    error = raised.value
    assert (error.status_code, error.type) == (400, "invalid_request_error")
    assert (error.code, error.param) == (code, param)
    assert param in error.message


def test_a_method_that_a_path_does_not_know(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as raised:
        client.get("/chat/completions", cast_to=object)
    assert (raised.value.status_code, raised.value.code) == (405, "method_not_supported")


def test_a_time_limit_of_the_client_frees_the_slot(client: openai.OpenAI, small: Server) -> None:
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.3).completions.create(model="any", prompt="1, 2,", extra_body=ENDLESS)
    wait_for_load(small, key=KEY)
    assert client.completions.create(model="any", prompt="1, 2,", max_tokens=1).usage


def test_embeddings_that_are_switched_off(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as raised:
        client.embeddings.create(model="any", input="text")
    assert (raised.value.status_code, raised.value.type) == (501, "not_supported_error")


def test_a_server_that_is_not_there(client: openai.OpenAI) -> None:
    # Nobody can listen on this port.
    with pytest.raises(openai.APIConnectionError):
        client.with_options(base_url="http://127.0.0.1:0/v1").models.list()
