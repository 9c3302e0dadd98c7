"""Tool calls and reasoning over real sockets, from a core without a model that says what a test wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import openai
import pytest

from rest_adapter.config import RestConfig
from slotline.v1.generation_pb2 import (
    FINISH_REASON_TOOL_CALLS,
    REASONING_FORMAT_SEPARATE,
    ToolDelta,
)
from tests.support.adapter import AdapterThread, post
from tests.support.fake_core import WAIT_S, FakeCore, Refuse, Step, accepted, delta, finished, parts, said, thought

if TYPE_CHECKING:
    from collections.abc import Iterator

    from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Weather in Kyiv and Lviv?"}]
TOOLS: list[ChatCompletionToolParam] = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]

ANSWER: list[Step] = [
    accepted(),
    parts(thought("Two cities, ")),
    parts(thought("two calls."), said("I look ")),
    parts(said("it up."), ToolDelta(call=0, id="call_a", name="weather")),
    parts(ToolDelta(call=0, arguments='{"city": '), ToolDelta(call=0, arguments='"Київ"}')),
    parts(ToolDelta(call=1, id="call_b", name="weather", arguments='{"city": "Lviv"}')),
    finished(9, FINISH_REASON_TOOL_CALLS),
]
CALLS = [("call_a", "weather", '{"city": "Київ"}'), ("call_b", "weather", '{"city": "Lviv"}')]


@pytest.fixture
def client(core: FakeCore, adapter: AdapterThread) -> Iterator[openai.OpenAI]:
    core.script = lambda request: ANSWER
    with openai.OpenAI(base_url=f"{adapter.url}/v1", api_key="none", max_retries=0, timeout=WAIT_S) as made:
        yield made


def check(message: Any) -> None:
    assert message.content == "I look it up."
    assert message.reasoning_content == "Two cities, two calls."
    assert [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls] == CALLS
    assert {call.type for call in message.tool_calls} == {"function"}


def test_an_answer(core: FakeCore, client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="any", messages=MESSAGES, tools=TOOLS)
    check(answer.choices[0].message)
    assert answer.choices[0].finish_reason == "tool_calls"
    asked = core.wait_for_call().request
    assert asked.output.parse_output
    assert asked.output.reasoning_format == REASONING_FORMAT_SEPARATE


def test_the_stream_helper_joins_what_comes(client: openai.OpenAI) -> None:
    done: list[tuple[str, str]] = []
    reasoning = ""
    with client.chat.completions.stream(model="any", messages=MESSAGES, tools=TOOLS) as stream:
        for event in stream:
            if event.type == "tool_calls.function.arguments.done":
                done.append((event.name, event.arguments))
            elif event.type == "chunk" and event.chunk.choices:
                reasoning += getattr(event.chunk.choices[0].delta, "reasoning_content", "")
        final = stream.get_final_completion()
    check(final.choices[0].message)
    assert final.choices[0].finish_reason == "tool_calls"
    assert done == [(name, arguments) for _, name, arguments in CALLS]
    assert reasoning == "Two cities, two calls."


def test_a_refusal_of_the_core_names_the_field_of_the_body(core: FakeCore, client: openai.OpenAI) -> None:
    path = "chat.messages[1].tool_calls_json[0].function.arguments"
    core.script = lambda request: [
        Refuse(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", "?", violations=((path, "is not JSON"),))
    ]
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model="any", messages=MESSAGES, tools=TOOLS)
    assert raised.value.param == "messages[1].tool_calls[0].function.arguments"
    assert "messages[1].tool_calls[0].function.arguments: is not JSON" in raised.value.message


def test_the_server_says_where_reasoning_goes_unless_the_request_does(core: FakeCore) -> None:
    core.script = lambda request: [accepted(), delta("a"), finished()]
    adapter = AdapterThread(RestConfig(core=core.address, reasoning_format="deepseek"))
    try:
        for fields in ({}, {"reasoning_format": "none"}):
            assert post(adapter, "/v1/chat/completions", messages=MESSAGES, **fields).status_code == 200
    finally:
        adapter.close()
    assert [call.request.output.parse_output for call in core.calls] == [True, False]
