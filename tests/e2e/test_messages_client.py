"""Conversations with the official Anthropic client, on the default model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import anthropic
import jsonschema
import pytest
from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anthropic.types import MessageParam, ToolParam

    from tests.support.server import Server

SEEDS = range(4)
# The client has no names for options of sampling any more; the server takes them from others.
GREEDY = {"temperature": 0}
QUESTION: list[MessageParam] = [{"role": "user", "content": "What is the capital of Germany?"}]
FORECAST: list[MessageParam] = [{"role": "user", "content": "What is the weather in Kyiv tomorrow?"}]
WEATHER: ToolParam = {
    "name": "get_weather",
    "description": "The weather forecast for a city.",
    "input_schema": {
        "type": "object",
        "properties": {
            "city": {"type": "string", "enum": ["Kyiv", "Lviv", "Odesa"]},
            "days": {"type": "integer", "minimum": 1, "maximum": 7},
        },
        "required": ["city", "days"],
        "additionalProperties": False,
    },
}
CLOCK: ToolParam = {"name": "get_time", "description": "The time now.", "input_schema": {"type": "object"}}
TOOLS = [WEATHER, CLOCK]
SCHEMAS: dict[str, Any] = {tool["name"]: tool["input_schema"] for tool in TOOLS}


class Person(BaseModel):
    """A person; the client leaves bounds of lengths and numbers out of what it sends."""

    name: Literal["Olena", "Taras"]
    language: Literal["Ukrainian", "English", "German"]
    is_adult: bool


@pytest.fixture
def client(server: Server) -> Iterator[anthropic.Anthropic]:
    """A client that does not retry, so that each answer is the first one."""
    with anthropic.Anthropic(base_url=server.rest_url, api_key="none", max_retries=0, timeout=60) as client:
        yield client


def check_calls(blocks: list[Any], *, names: tuple[str, ...] = ("get_weather", "get_time")) -> None:
    """Blocks that call declared tools, with ids of their own and input that obeys the schema."""
    calls = [block for block in blocks if block.type == "tool_use"]
    assert calls
    assert len({call.id for call in calls}) == len(calls)
    for call in calls:
        assert call.name in names
        jsonschema.validate(call.input, SCHEMAS[call.name])


def test_an_answer(client: anthropic.Anthropic) -> None:
    answer = client.messages.create(model="claude-sonnet-5", max_tokens=24, messages=QUESTION, extra_body=GREEDY)
    assert (answer.type, answer.role, answer.model) == ("message", "assistant", "claude-sonnet-5")
    assert answer.id.startswith("msg_")
    assert answer._request_id is not None  # noqa: SLF001 the client's own name for what it found in the header
    assert answer._request_id.startswith("req_")  # noqa: SLF001
    assert (answer.stop_reason, answer.stop_sequence) == ("end_turn", None)
    (block,) = answer.content
    assert block.type == "text"
    assert "Berlin" in block.text
    counted = client.messages.count_tokens(model="claude-sonnet-5", messages=QUESTION)
    usage = answer.usage
    assert usage.input_tokens + (usage.cache_read_input_tokens or 0) == counted.input_tokens
    assert usage.cache_creation_input_tokens == 0
    assert usage.output_tokens > 0


@pytest.mark.parametrize("system", ["Answer in one word.", [{"type": "text", "text": "Answer in one word."}]])
def test_the_stream_helper_says_the_same(client: anthropic.Anthropic, system: Any) -> None:
    options: dict[str, Any] = {
        "model": "any",
        "max_tokens": 24,
        "messages": QUESTION,
        "extra_body": GREEDY,
        "system": system,
    }
    whole = client.messages.create(**options)
    with client.messages.stream(**options) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert [block.model_dump() for block in final.content] == [block.model_dump() for block in whole.content]
    assert text == final.content[0].text  # type: ignore[union-attr]
    assert (final.stop_reason, final.usage.output_tokens) == (whole.stop_reason, whole.usage.output_tokens)
    assert final.usage.input_tokens is not None


def test_events_come_in_order(client: anthropic.Anthropic) -> None:
    kinds = [
        event.type
        for event in client.messages.create(
            model="any", max_tokens=8, messages=QUESTION, extra_body=GREEDY, stream=True
        )
    ]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert set(kinds[2:-3]) == {"content_block_delta"}
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_call_is_valid_whatever_is_drawn(client: anthropic.Anthropic, seed: int) -> None:
    answer = client.messages.create(
        model="any",
        max_tokens=256,
        messages=FORECAST,
        tools=TOOLS,
        tool_choice={"type": "any"},
        extra_body={"seed": seed, "temperature": 1.5},
    )
    assert answer.stop_reason == "tool_use"
    check_calls(answer.content)


@pytest.mark.parametrize("city", ["Kyiv", "Lviv", "Odesa"])
def test_a_streamed_call_is_the_whole_one(client: anthropic.Anthropic, city: str) -> None:
    options: dict[str, Any] = {
        "model": "any",
        "max_tokens": 128,
        "messages": [{"role": "user", "content": f"What is the weather in {city} tomorrow?"}],
        "tools": TOOLS,
        "tool_choice": {"type": "tool", "name": "get_weather"},
        "extra_body": GREEDY,
    }
    # The first call evaluates the prompt, and the others continue its cells: these have the same logits.
    client.messages.create(**options)
    with client.messages.stream(**options) as stream:
        partial = "".join(event.partial_json for event in stream if event.type == "input_json")
        final = stream.get_final_message()
    assert final.stop_reason == "tool_use"
    check_calls(final.content, names=("get_weather",))
    (call,) = final.content
    assert call.type == "tool_use"
    assert json.loads(partial) == call.input
    (whole,) = client.messages.create(**options).content
    assert whole.type == "tool_use"
    assert (whole.name, whole.input) == (call.name, call.input)
    assert whole.id != call.id


def test_a_call_and_its_result_go_back_and_the_model_answers(client: anthropic.Anthropic) -> None:
    options: dict[str, Any] = {"model": "any", "max_tokens": 128, "tools": TOOLS, "extra_body": {"seed": 2}}
    asked = client.messages.create(
        messages=FORECAST, tool_choice={"type": "any", "disable_parallel_tool_use": True}, **options
    )
    (call,) = asked.content
    assert call.type == "tool_use"
    result: MessageParam = {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": '{"sky": "clear"}'}]},
            {"type": "text", "text": "So, what is it like?"},
        ],
    }
    history: list[MessageParam] = [*FORECAST, asked.to_param(), result]
    answer = client.messages.create(messages=history, tool_choice={"type": "none"}, **options)
    assert [block.type for block in answer.content] == ["text"]
    assert answer.stop_reason in ("end_turn", "max_tokens")
    # The prompt goes on where that of the first request ended.
    assert (answer.usage.cache_read_input_tokens or 0) >= asked.usage.input_tokens
    counted = client.messages.count_tokens(
        model="any", messages=history, tools=TOOLS, tool_choice={"type": "none"}
    ).input_tokens
    assert answer.usage.input_tokens + (answer.usage.cache_read_input_tokens or 0) == counted


@pytest.mark.parametrize("seed", SEEDS)
def test_parse_gives_a_pydantic_answer(client: anthropic.Anthropic, seed: int) -> None:
    answer = client.messages.parse(
        model="any",
        max_tokens=256,
        messages=[{"role": "user", "content": "Invent a person."}],
        output_format=Person,
        extra_body={"seed": seed},
    )
    assert answer.stop_reason == "end_turn"
    assert isinstance(answer.parsed_output, Person)


def test_a_stop_sequence_ends_the_answer_and_is_named(client: anthropic.Anthropic) -> None:
    options: dict[str, Any] = {
        "model": "any",
        "max_tokens": 24,
        "messages": QUESTION,
        "extra_body": GREEDY,
        "stop_sequences": ["of Germany"],
    }
    answer = client.messages.create(**options)
    assert (answer.stop_reason, answer.stop_sequence) == ("stop_sequence", "of Germany")
    assert answer.content[0].text == "The capital "
    with client.messages.stream(**options) as stream:
        final = stream.get_final_message()
    assert (final.stop_reason, final.stop_sequence) == ("stop_sequence", "of Germany")


def test_a_limit_on_tokens_ends_the_answer(client: anthropic.Anthropic) -> None:
    short = client.messages.create(model="any", max_tokens=3, messages=QUESTION)
    assert (short.stop_reason, short.usage.output_tokens) == ("max_tokens", 3)


def test_a_begun_answer_is_continued(client: anthropic.Anthropic) -> None:
    begun: list[MessageParam] = [*QUESTION, {"role": "assistant", "content": "The capital of Germany is"}]
    answer = client.messages.create(model="any", max_tokens=8, messages=begun, extra_body=GREEDY)
    assert answer.content[0].text.startswith(" Berlin")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "fields",
    [
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        {"thinking": {"type": "adaptive"}},
        {"thinking": {"type": "disabled"}},
        {"output_config": {"effort": "low"}},
        {"metadata": {"user_id": "x"}, "service_tier": "auto"},
    ],
)
def test_models_that_cannot_think_answer_as_they_do(client: anthropic.Anthropic, fields: dict[str, Any]) -> None:
    answer = client.messages.create(model="any", max_tokens=2000, messages=QUESTION, extra_body=GREEDY, **fields)
    assert [block.type for block in answer.content] == ["text"]
    assert "Berlin" in answer.content[0].text


def test_the_beta_client_is_answered_the_same(client: anthropic.Anthropic) -> None:
    question: Any = QUESTION
    answer = client.beta.messages.create(
        model="any",
        max_tokens=24,
        messages=question,
        extra_body=GREEDY,
        betas=["context-management-2025-06-27"],
    )
    assert "Berlin" in answer.content[0].text  # type: ignore[union-attr]


async def test_the_async_client(server: Server) -> None:
    async with (
        anthropic.AsyncAnthropic(base_url=server.rest_url, api_key="none", max_retries=0, timeout=60) as client,
        client.messages.stream(model="any", max_tokens=24, messages=QUESTION, extra_body=GREEDY) as stream,
    ):
        assert "Berlin" in "".join([text async for text in stream.text_stream])
