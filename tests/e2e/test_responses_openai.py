"""The Responses API with the official OpenAI client: answers, streams, tools, types, and what is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import jsonschema
import openai
import pytest
from pydantic import BaseModel, Field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openai.types.responses import FunctionToolParam, ResponseInputParam

    from tests.support.server import Server

SEEDS = range(4)
QUESTION = "What is the weather in Kyiv tomorrow?"
PARAMETERS: dict[str, object] = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "enum": ["Kyiv", "Lviv", "Odesa"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 7},
    },
    "required": ["city", "days"],
    "additionalProperties": False,
}
WEATHER: FunctionToolParam = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather forecast for a city.",
    "parameters": PARAMETERS,
    "strict": True,
}


class GetWeather(BaseModel):
    """The weather forecast for a city."""

    city: Literal["Kyiv", "Lviv", "Odesa"]
    days: int = Field(ge=1, le=7)


class Person(BaseModel):
    name: str = Field(max_length=20)
    age: int = Field(ge=0, le=150)


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    """A client that does not retry, so that each answer is the first one."""
    with openai.OpenAI(base_url=f"{server.rest_url}/v1", api_key="none", max_retries=0, timeout=60) as client:
        yield client


def test_an_answer_is_text_with_its_counts(client: openai.OpenAI) -> None:
    answer = client.responses.create(
        model="any", instructions="Answer in one word.", input="What is the capital of Germany?", temperature=0
    )
    assert "Berlin" in answer.output_text
    assert answer.status == "completed"
    assert answer.error is None
    assert answer.incomplete_details is None
    assert answer.store is False  # type: ignore[attr-defined]
    usage = answer.usage
    assert usage is not None
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    assert usage.output_tokens_details.reasoning_tokens == 0


def test_a_limit_makes_an_answer_incomplete(client: openai.OpenAI) -> None:
    answer = client.responses.create(model="any", input="Tell me a long story.", max_output_tokens=4)
    assert answer.status == "incomplete"
    assert answer.incomplete_details is not None
    assert answer.incomplete_details.reason == "max_output_tokens"
    assert answer.usage is not None
    assert answer.usage.output_tokens == 4


# The best token of each step is well ahead, so that the last digits of logits decide about none.
@pytest.mark.parametrize(
    "words", ["one two three four five six seven eight nine ten", "alpha beta gamma delta epsilon"]
)
def test_the_stream_helper_has_the_whole_answer(client: openai.OpenAI, words: str) -> None:
    options: dict[str, Any] = {
        "model": "any",
        "input": [{"role": "user", "content": f"Repeat after me: {words}."}],
        "max_output_tokens": 48,
        "temperature": 0,
    }
    # The first call evaluates the prompt, and the others continue its cells: these have the same logits.
    _, whole = [client.responses.create(**options) for _ in range(2)]
    with client.responses.stream(**options) as stream:
        events = list(stream)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert len(deltas) > 3
    last = events[-1]
    assert last.type in ("response.completed", "response.incomplete")
    assert "".join(deltas) == last.response.output_text == whole.output_text
    assert last.response.status == whole.status


@pytest.mark.parametrize("seed", SEEDS)
def test_a_required_call_is_valid_whatever_is_drawn(client: openai.OpenAI, seed: int) -> None:
    answer = client.responses.create(
        model="any",
        input=QUESTION,
        tools=[WEATHER, {"type": "web_search"}],
        tool_choice="required",
        temperature=1.5,
        max_output_tokens=256,
        extra_body={"seed": seed},
    )
    assert answer.status == "completed"
    assert answer.output
    for item in answer.output:
        assert item.type == "function_call"
        assert item.call_id.startswith("call_")
        jsonschema.validate(json.loads(item.arguments), PARAMETERS)
    # What the server cannot run is not offered, and not told either.
    assert [tool.type for tool in answer.tools] == ["function"]


@pytest.mark.parametrize("city", ["Kyiv", "Lviv", "Odesa"])
def test_the_stream_helper_has_the_same_call(client: openai.OpenAI, city: str) -> None:
    options: dict[str, Any] = {
        "model": "any",
        "input": f"What is the weather in {city} tomorrow?",
        "tools": [openai.pydantic_function_tool(GetWeather)["function"] | {"type": "function"}],
        "tool_choice": {"type": "function", "name": "GetWeather"},
        "temperature": 0,
        "max_output_tokens": 128,
    }
    # The first call evaluates the prompt, and the others continue its cells: these have the same logits.
    client.responses.create(**options)
    with client.responses.stream(**options) as stream:
        snapshots = [event.snapshot for event in stream if event.type == "response.function_call_arguments.delta"]
        (call,) = stream.get_final_response().output
    assert call.type == "function_call"
    assert snapshots[-1] == call.arguments
    (whole,) = client.responses.create(**options).output
    assert whole.type == "function_call"
    assert whole.arguments == call.arguments
    assert GetWeather.model_validate_json(call.arguments)


def test_a_call_and_its_output_go_back_and_the_model_answers(client: openai.OpenAI) -> None:
    conversation: ResponseInputParam = [{"role": "user", "content": QUESTION}]
    asked = client.responses.create(
        model="any",
        input=conversation,
        tools=[WEATHER],
        tool_choice={"type": "function", "name": "get_weather"},
        max_output_tokens=128,
        extra_body={"seed": 2},
    )
    (call,) = asked.output
    assert call.type == "function_call"
    # Clients send the items back as they came.
    conversation += [item.model_dump(exclude_none=True) for item in asked.output]  # type: ignore[misc]
    conversation.append({"type": "function_call_output", "call_id": call.call_id, "output": '{"sky": "clear"}'})
    answer = client.responses.create(
        model="any",
        input=conversation,
        tools=[WEATHER],
        tool_choice="none",
        max_output_tokens=48,
        extra_body={"seed": 2},
    )
    assert answer.output_text
    assert asked.usage is not None
    assert answer.usage is not None
    # The prompt begins like that of the first request, with the tools; how to use them depends on the choice.
    assert answer.usage.input_tokens_details.cached_tokens


@pytest.mark.parametrize("seed", SEEDS)
def test_parse_gives_a_pydantic_answer(client: openai.OpenAI, seed: int) -> None:
    answer = client.responses.parse(
        model="any",
        input="Invent a person.",
        text_format=Person,
        max_output_tokens=256,
        extra_body={"seed": seed},
    )
    assert isinstance(answer.output_parsed, Person)


def test_parse_gives_arguments_of_a_pydantic_tool(client: openai.OpenAI) -> None:
    tools: Any = [{"type": "function", **openai.pydantic_function_tool(GetWeather)["function"]}]
    answer = client.responses.parse(
        model="any",
        input=QUESTION,
        tools=tools,
        tool_choice="required",
        max_output_tokens=256,
        extra_body={"seed": 3},
    )
    for item in answer.output:
        assert item.type == "function_call"
        assert json.loads(item.arguments)["city"] in ("Kyiv", "Lviv", "Odesa")


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_custom_tool_gets_a_text(client: openai.OpenAI, is_stream: bool) -> None:
    options: dict[str, Any] = {
        "model": "any",
        "input": "Add a line to the file.",
        "tools": [
            {
                "type": "custom",
                "name": "edit",
                "description": "Edits a file.",
                "format": {"type": "grammar", "syntax": "regex", "definition": "(add|remove) [a-z]{1,8}\n"},
            }
        ],
        "tool_choice": {"type": "custom", "name": "edit"},
        "max_output_tokens": 128,
        "extra_body": {"seed": 1},
    }
    if is_stream:
        events = list(client.responses.create(**options, stream=True))
        text = "".join(event.delta for event in events if event.type == "response.custom_tool_call_input.delta")
        assert [event.input for event in events if event.type == "response.custom_tool_call_input.done"] == [text]
        answer = events[-1].response
    else:
        answer = client.responses.create(**options)
    (call,) = answer.output
    assert call.type == "custom_tool_call"
    word, rest = call.input.split(" ")
    assert word in ("add", "remove")
    assert rest.endswith("\n")
    if is_stream:
        assert call.input == text


def test_log_probabilities(client: openai.OpenAI) -> None:
    answer = client.responses.create(
        model="any", input="Say yes.", max_output_tokens=4, top_logprobs=2, include=["message.output_text.logprobs"]
    )
    (message,) = answer.output
    assert message.type == "message"
    (part,) = message.content
    assert part.type == "output_text"
    assert part.logprobs
    assert "".join(entry.token for entry in part.logprobs) == part.text
    assert all(len(entry.top_logprobs) == 2 for entry in part.logprobs)


@pytest.mark.parametrize("instructions", ["Be brief.", None])
def test_tokens_are_counted_as_usage_does(client: openai.OpenAI, instructions: str | None) -> None:
    options: dict[str, Any] = {"model": "any", "instructions": instructions, "input": QUESTION, "tools": [WEATHER]}
    counted = client.responses.input_tokens.count(**options)
    answer = client.responses.create(**options, max_output_tokens=1)
    assert answer.usage is not None
    assert counted.input_tokens == answer.usage.input_tokens
    assert counted.object == "response.input_tokens"


def test_tokens_of_a_chat_are_counted_as_usage_does(client: openai.OpenAI) -> None:
    body: dict[str, Any] = {"model": "any", "messages": [{"role": "user", "content": QUESTION}]}
    counted = client.post("/chat/completions/input_tokens", body=body, cast_to=object)
    answer = client.chat.completions.create(**body, max_tokens=1)
    assert answer.usage is not None
    assert counted == {"object": "response.input_tokens", "input_tokens": answer.usage.prompt_tokens}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"background": True}, "background"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0].type"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "https://e.org/x.png"}]}]},
            "input[0].content[0].image_url",
        ),
        (
            {"input": [{"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{"}]},
            "input[0].arguments",
        ),
        (
            {"tools": [{"type": "web_search"}, WEATHER | {"parameters": {"type": "object", "not": {}}}]},
            "tools[1].parameters",
        ),
        (
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "array", "contains": 1}}}},
            "text.",
        ),
    ],
)
@pytest.mark.parametrize("is_stream", [False, True])
def test_mistakes_name_the_field(client: openai.OpenAI, fields: dict[str, Any], param: str, is_stream: bool) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.responses.create(**{"model": "any", "input": "Hi", "stream": is_stream, **fields})
    assert raised.value.param is not None
    assert raised.value.param.startswith(param)


def test_a_prompt_that_does_not_fit_is_refused_or_shortened(client: openai.OpenAI) -> None:
    text = "one two three " * 2000
    with pytest.raises(openai.BadRequestError) as raised:
        client.responses.create(model="any", input=text)
    assert raised.value.code == "context_length_exceeded"
    answer = client.responses.create(model="any", input=text, truncation="auto", max_output_tokens=1)
    assert answer.truncation == "auto"
