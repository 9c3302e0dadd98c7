"""The official OpenAI client against the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import openai
import pydantic
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


class Answer(pydantic.BaseModel):
    """What an answer consists of."""

    city: Literal["Berlin", "Paris", "Rome"]
    is_capital: bool
    districts: list[Annotated[int, pydantic.Field(ge=1, le=99)]] = pydantic.Field(max_length=3)


@pytest.mark.parametrize("seed", range(3))
def test_an_answer_is_parsed_into_a_model(client: openai.OpenAI, seed: int) -> None:
    completion = client.chat.completions.parse(
        model="any", messages=QUESTION, response_format=Answer, seed=seed, temperature=1.5, max_tokens=200
    )
    (choice,) = completion.choices
    assert choice.finish_reason == "stop"
    assert isinstance(choice.message.parsed, Answer)


def test_a_streamed_answer_is_parsed_into_a_model(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model="any", messages=QUESTION, response_format=Answer, seed=1, max_tokens=200
    ) as stream:
        for _ in stream:
            pass
        completion = stream.get_final_completion()
    assert isinstance(completion.choices[0].message.parsed, Answer)


def test_a_schema_that_cannot_be_enforced_is_refused_by_path(client: openai.OpenAI) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "array", "uniqueItems": True}}}
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model="any", messages=QUESTION, response_format=form)  # type: ignore[call-overload]
    assert raised.value.param == "response_format.json_schema.schema"
    assert "/properties/a/uniqueItems is not supported" in raised.value.message


def test_closing_a_stream_early_frees_its_slot(client: openai.OpenAI, server: Server) -> None:
    for _ in range(8):
        stream = client.chat.completions.create(model="any", messages=QUESTION, max_tokens=2000, stream=True)
        next(iter(stream))
        stream.close()
    answer = client.chat.completions.create(model="any", messages=QUESTION, max_tokens=2, temperature=0)
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 2
