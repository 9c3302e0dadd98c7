"""Conversations and prompts that do not fit into the context, as the official OpenAI client meets them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import openai
import pytest
import requests

from tests.support.server import PATIENCE_S, Server

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionMessageParam

    from tests.support.server_pool import ServerPool

N_CTX = 256
LONG = "word " * 400
MESSAGES: list[ChatCompletionMessageParam] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": LONG},
]

Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def refusing(servers: ServerPool) -> Server:
    """A server as it is by default."""
    return servers.get("-c", str(N_CTX), "-np", "1")


@pytest.fixture(scope="module")
def truncating(servers: ServerPool) -> Server:
    """A server that shortens."""
    return servers.get("-c", str(N_CTX), "-np", "1", "--openai-overflow", "truncate")


@pytest.fixture(params=["chat", "text"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Sends what does not fit to one of the two routes."""

    def send(server: Server, **options: Any) -> Any:
        with openai.OpenAI(base_url=f"{server.rest_url}/v1", api_key="none", max_retries=0, timeout=PATIENCE_S) as own:
            if request.param == "chat":
                answer = own.chat.completions.create(model="m", messages=MESSAGES, max_tokens=4, **options)
            else:
                answer = own.completions.create(model="m", prompt=LONG, max_tokens=4, **options)
            return list(answer) if options.get("stream") else answer

    return send


def refusal(server: Server, ask: Ask, **options: Any) -> openai.BadRequestError:
    with pytest.raises(openai.BadRequestError) as raised:
        ask(server, **options)
    return raised.value


@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_has_the_code_and_both_counts(refusing: Server, ask: Ask, stream: bool) -> None:
    error = refusal(refusing, ask, stream=stream)
    assert (error.code, error.type) == ("context_length_exceeded", "exceed_context_size_error")
    assert error.param in ("messages", "prompt")
    assert isinstance(error.body, dict)
    assert (error.body["n_ctx"], error.body["n_prompt_tokens"] > 400) == (N_CTX, True)
    assert str(error.body["n_prompt_tokens"]) in error.message
    assert str(N_CTX) in error.message


def test_who_asks_gets_a_shortened_prompt_and_what_was_left_out(refusing: Server, ask: Ask) -> None:
    n_prompt = refusal(refusing, ask).body["n_prompt_tokens"]  # type: ignore[index]
    usage = ask(refusing, extra_body={"truncate": True}).usage
    left_out = usage.prompt_tokens_details.truncated_tokens
    assert left_out > 0
    assert usage.prompt_tokens < N_CTX
    assert usage.prompt_tokens + left_out == n_prompt


def test_a_stream_tells_it_in_its_last_chunk(refusing: Server, ask: Ask) -> None:
    whole = ask(refusing, extra_body={"truncate": True}).usage
    *_, last = ask(refusing, extra_body={"truncate": True}, stream=True, stream_options={"include_usage": True})
    assert last.usage.prompt_tokens_details.truncated_tokens == whole.prompt_tokens_details.truncated_tokens


def test_a_server_can_shorten_for_all_and_the_body_wins(truncating: Server, ask: Ask) -> None:
    assert ask(truncating).usage.prompt_tokens_details.truncated_tokens > 0
    assert refusal(truncating, ask, extra_body={"truncate": False}).code == "context_length_exceeded"


def test_what_fits_says_nothing_about_it(truncating: Server) -> None:
    body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
    answer = requests.post(f"{truncating.rest_url}/v1/chat/completions", json=body, timeout=PATIENCE_S).json()
    assert "truncated_tokens" not in answer["usage"]["prompt_tokens_details"]


def test_an_answer_that_reaches_the_end_of_the_context_ends_there(refusing: Server) -> None:
    body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 100_000, "ignore_eos": True}
    answer = requests.post(f"{refusing.rest_url}/v1/chat/completions", json=body, timeout=PATIENCE_S).json()
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["total_tokens"] == N_CTX


@pytest.mark.parametrize("path", ["/completion", "/completions"])
def test_native_routes_shorten_unless_the_body_says_otherwise(refusing: Server, path: str) -> None:
    body: dict[str, Any] = {"prompt": LONG, "n_predict": 1}
    answer = requests.post(refusing.rest_url + path, json=body, timeout=PATIENCE_S)
    assert (answer.status_code, answer.json()["truncated"]) == (200, True)
    refused = requests.post(refusing.rest_url + path, json={**body, "truncate": False}, timeout=PATIENCE_S)
    assert refused.json()["error"]["code"] == 400
    assert refused.json()["error"]["type"] == "exceed_context_size_error"
