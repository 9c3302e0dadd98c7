"""Tools and structured output with the official OpenAI client, on a model that has never heard of tools."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import jsonschema
import openai
import pytest
from pydantic import BaseModel, Field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

    from tests.support.server import Server

SEEDS = range(6)
QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the weather in Kyiv tomorrow?"}]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather forecast for a city.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "enum": ["Kyiv", "Lviv", "Odesa"]},
                "days": {"type": "integer", "minimum": 1, "maximum": 7},
            },
            "required": ["city", "days"],
            "additionalProperties": False,
        },
    },
}
CLOCK: ChatCompletionToolParam = {"type": "function", "function": {"name": "get_time", "description": "The time now."}}
TOOLS = [WEATHER, CLOCK]
PARAMETERS = {tool["function"]["name"]: tool["function"].get("parameters", {"type": "object"}) for tool in TOOLS}


class GetWeather(BaseModel):
    """The weather forecast for a city."""

    city: Literal["Kyiv", "Lviv", "Odesa"]
    days: int = Field(ge=1, le=7)


class Person(BaseModel):
    name: str = Field(max_length=20)
    age: int = Field(ge=0, le=150)
    languages: list[Literal["Ukrainian", "English", "German"]] = Field(max_length=3)


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    """A client that does not retry, so that each answer is the first one."""
    with openai.OpenAI(base_url=f"{server.rest_url}/v1", api_key="none", max_retries=0, timeout=60) as client:
        yield client


def check_calls(calls: Any, *, names: tuple[str, ...] = ("get_weather", "get_time")) -> None:
    """Calls of declared tools, with ids of their own and arguments that obey the schema."""
    assert calls
    assert len({call.id for call in calls}) == len(calls)
    for call in calls:
        assert call.id.startswith("call_")
        assert call.type == "function"
        assert call.function.name in names
        jsonschema.validate(json.loads(call.function.arguments), PARAMETERS[call.function.name])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_required_call_is_valid_whatever_is_drawn(client: openai.OpenAI, seed: int) -> None:
    answer = client.chat.completions.create(
        model="any",
        messages=QUESTION,
        tools=TOOLS,
        tool_choice="required",
        parallel_tool_calls=False,
        seed=seed,
        temperature=1.5,
        max_tokens=256,
    )
    (choice,) = answer.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    assert choice.message.tool_calls is not None
    assert len(choice.message.tool_calls) == 1
    check_calls(choice.message.tool_calls)


def test_there_may_be_several_calls(client: openai.OpenAI) -> None:
    for seed in range(40):
        choice = client.chat.completions.create(
            model="any", messages=QUESTION, tools=TOOLS, tool_choice="required", seed=seed, max_tokens=256
        ).choices[0]
        calls = choice.message.tool_calls or []
        # A small model may go on until its answer ends for its length, maybe in the middle of a call.
        check_calls(calls if choice.finish_reason == "tool_calls" else calls[:-1] or calls)
        if len(calls) > 1:
            return
    pytest.fail("never more than one call")


@pytest.mark.parametrize("city", ["Kyiv", "Lviv", "Odesa"])
def test_the_stream_helper_has_the_same_call(client: openai.OpenAI, city: str) -> None:
    options: dict[str, Any] = {
        "model": "any",
        "messages": [{"role": "user", "content": f"What is the weather in {city} tomorrow?"}],
        "tools": TOOLS,
        "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
        "temperature": 0.0,
        "max_tokens": 128,
    }
    # The first call evaluates the prompt, and the others continue its cells: these have the same logits.
    client.chat.completions.create(**options)
    with client.chat.completions.stream(**options, stream_options={"include_usage": True}) as stream:
        done = [event.arguments for event in stream if event.type == "tool_calls.function.arguments.done"]
        final = stream.get_final_completion()
    (choice,) = final.choices
    assert choice.finish_reason == "tool_calls"
    check_calls(choice.message.tool_calls, names=("get_weather",))
    assert final.usage is not None
    whole = client.chat.completions.create(**options).choices[0].message
    assert choice.message.tool_calls is not None
    assert whole.tool_calls is not None
    assert [call.function.arguments for call in choice.message.tool_calls] == done
    assert done == [call.function.arguments for call in whole.tool_calls]
    assert len(done) == 1


def test_deltas_are_what_clients_expect(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="any",
        messages=QUESTION,
        tools=[WEATHER],
        tool_choice="required",
        parallel_tool_calls=False,
        seed=1,
        max_tokens=256,
        stream=True,
    )
    chunks = [chunk.model_dump(exclude_unset=True)["choices"][0] for chunk in stream]
    first, *middle, last = (chunk["delta"] for chunk in chunks)
    assert first == {"role": "assistant", "content": None}
    assert last == {}
    assert [chunk["finish_reason"] for chunk in chunks] == [None] * (len(chunks) - 1) + ["tool_calls"]
    begun: set[int] = set()
    for delta in middle:
        (call,) = delta["tool_calls"]
        if call["index"] not in begun:
            assert call["index"] == len(begun)
            begun.add(call["index"])
            assert sorted(call) == ["function", "id", "index", "type"]
            assert call["function"] == {"name": "get_weather", "arguments": ""}
        else:
            assert sorted(call) == ["function", "index"]
            assert list(call["function"]) == ["arguments"]
            assert call["function"]["arguments"]


def test_parse_gives_arguments_of_a_pydantic_tool(client: openai.OpenAI) -> None:
    completion = client.chat.completions.parse(
        model="any",
        messages=QUESTION,
        tools=[openai.pydantic_function_tool(GetWeather)],
        tool_choice="required",
        parallel_tool_calls=False,
        seed=3,
        max_tokens=256,
    )
    calls = completion.choices[0].message.tool_calls
    assert calls
    for call in calls:
        arguments = call.function.parsed_arguments
        assert isinstance(arguments, GetWeather)
        assert json.loads(call.function.arguments) == arguments.model_dump()


@pytest.mark.parametrize("seed", SEEDS)
def test_parse_gives_a_pydantic_answer(client: openai.OpenAI, seed: int) -> None:
    completion = client.chat.completions.parse(
        model="any",
        messages=[{"role": "user", "content": "Invent a person."}],
        response_format=Person,
        seed=seed,
        max_tokens=256,
    )
    (choice,) = completion.choices
    assert choice.finish_reason == "stop"
    assert isinstance(choice.message.parsed, Person)


def test_the_stream_helper_gives_a_pydantic_answer(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model="any",
        messages=[{"role": "user", "content": "Invent a person."}],
        response_format=Person,
        seed=1,
        max_tokens=256,
    ) as stream:
        for _ in stream:
            pass
        assert isinstance(stream.get_final_completion().choices[0].message.parsed, Person)


@pytest.mark.parametrize("n", [2, 3])
def test_each_of_several_answers_has_calls_of_its_own(client: openai.OpenAI, n: int) -> None:
    answer = client.chat.completions.create(
        model="any",
        messages=QUESTION,
        tools=TOOLS,
        tool_choice="required",
        parallel_tool_calls=False,
        n=n,
        seed=5,
        max_tokens=256,
    )
    assert [choice.index for choice in answer.choices] == list(range(n))
    ids = []
    for choice in answer.choices:
        check_calls(choice.message.tool_calls)
        ids += [call.id for call in choice.message.tool_calls or ()]
    assert len(set(ids)) == len(ids)


def test_a_call_that_is_cut_off_says_so(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="any", messages=QUESTION, tools=[WEATHER], tool_choice="required", seed=1, max_tokens=18
    )
    (choice,) = answer.choices
    assert choice.finish_reason == "length"
    for call in choice.message.tool_calls or ():
        assert call.function.name == "get_weather"  # type: ignore[union-attr]


@pytest.mark.parametrize("choice", ["none", "auto"])
def test_an_answer_without_a_call_is_text(client: openai.OpenAI, choice: Literal["none", "auto"]) -> None:
    answer = client.chat.completions.create(
        model="any",
        messages=[{"role": "user", "content": "What is the capital of Germany?"}],
        tools=[CLOCK],
        tool_choice=choice,
        temperature=0,
        max_tokens=48,
    )
    message = answer.choices[0].message
    # What a model without tools says to that is text; if it is a call after all, it is a whole one.
    if choice == "auto" and message.tool_calls:
        check_calls(message.tool_calls)
    else:
        assert message.content
        assert message.tool_calls is None


def test_a_call_and_its_result_go_back_and_the_model_answers(client: openai.OpenAI) -> None:
    asked = client.chat.completions.create(
        model="any",
        messages=QUESTION,
        tools=[WEATHER],
        tool_choice="required",
        parallel_tool_calls=False,
        seed=2,
        max_tokens=128,
    ).choices[0]
    assert asked.message.tool_calls is not None
    (call,) = asked.message.tool_calls
    # Clients send the message back as it came.
    turn: Any = asked.message.model_dump(exclude_unset=True)
    result: ChatCompletionMessageParam = {"role": "tool", "tool_call_id": call.id, "content": '{"sky": "clear"}'}
    answer = client.chat.completions.create(
        model="any", messages=[*QUESTION, turn, result], tools=[WEATHER], tool_choice="none", seed=2, max_tokens=48
    )
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage is not None
    assert answer.usage.prompt_tokens_details is not None
    # The prompt goes on where that of the first request ended.
    assert answer.usage.prompt_tokens_details.cached_tokens


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"tools": [WEATHER, WEATHER]}, "tools[1].function.name", "get_weather"),
        ({"tools": [WEATHER], "tool_choice": "sometimes"}, "tool_choice", '"sometimes" is not'),
        (
            {"messages": [*QUESTION, {"role": "assistant", "tool_calls": [{"id": "1", "type": "function"}]}]},
            "messages[1].tool_calls[0].function",
            "",
        ),
        (
            {
                "messages": [
                    *QUESTION,
                    {
                        "role": "assistant",
                        "tool_calls": [
                            {"id": "1", "type": "function", "function": {"name": "get_weather", "arguments": "{"}}
                        ],
                    },
                ]
            },
            "messages[1].tool_calls[0].function.arguments",
            "JSON",
        ),
    ],
)
def test_mistakes_name_the_field(client: openai.OpenAI, fields: dict[str, Any], param: str, message: str) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(**{"model": "any", "messages": QUESTION, **fields})
    assert raised.value.param == param
    assert message in raised.value.message
