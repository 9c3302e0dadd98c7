"""The official OpenAI client against the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import openai
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openai.types.chat import ChatCompletionMessageParam

    from tests.support.server import Server

QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the capital of Germany?"}]


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    """A client that does not retry, so that each answer is the first one."""
    with openai.OpenAI(base_url=f"{server.rest_url}/v1", api_key="none", max_retries=0, timeout=60) as client:
        yield client


def test_chat(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="any", messages=QUESTION, max_tokens=24, temperature=0)
    (choice,) = answer.choices
    assert choice.message.role == "assistant"
    assert choice.message.content is not None
    assert "Berlin" in choice.message.content
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.usage.completion_tokens <= 24


def test_streamed_chat_is_the_same_text(client: openai.OpenAI) -> None:
    options = {"model": "any", "messages": QUESTION, "max_tokens": 24, "temperature": 0}
    whole = client.chat.completions.create(**options)  # type: ignore[call-overload]
    chunks = list(client.chat.completions.create(stream=True, stream_options={"include_usage": True}, **options))  # type: ignore[call-overload]
    with_choice = [chunk for chunk in chunks if chunk.choices]
    assert with_choice[0].choices[0].delta.role == "assistant"
    text = "".join(chunk.choices[0].delta.content or "" for chunk in with_choice)
    assert text == whole.choices[0].message.content
    assert with_choice[-1].choices[0].finish_reason == whole.choices[0].finish_reason
    counts = [
        (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) for usage in (chunks[-1].usage, whole.usage)
    ]
    assert counts[0] == counts[1]
    assert len({chunk.id for chunk in chunks}) == 1


def test_the_limit_is_reported_as_length(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="any", messages=QUESTION, max_completion_tokens=2, temperature=0)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 2


def test_models(client: openai.OpenAI) -> None:
    (model,) = client.models.list().data
    assert model.object == "model"
    assert model.id == "SmolLM2-135M-Instruct.Q4_1"


def test_a_wrong_value_is_a_bad_request_that_names_the_field(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model="any", messages=QUESTION, max_tokens="many")  # type: ignore[call-overload]
    assert raised.value.type == "invalid_request_error"
    assert "max_tokens" in raised.value.message
    assert "many" in raised.value.message


def test_a_feature_that_does_not_exist_yet_says_so(client: openai.OpenAI) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}}
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model="any", messages=QUESTION, response_format=schema)  # type: ignore[call-overload]
    assert "response_format.json_schema: not available in this version" in raised.value.message


def test_closing_a_stream_early_frees_its_slot(client: openai.OpenAI, server: Server) -> None:
    for _ in range(8):
        stream = client.chat.completions.create(model="any", messages=QUESTION, max_tokens=2000, stream=True)
        next(iter(stream))
        stream.close()
    answer = client.chat.completions.create(model="any", messages=QUESTION, max_tokens=2, temperature=0)
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 2
