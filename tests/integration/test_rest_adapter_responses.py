"""Responses with reasoning, text and calls over real sockets, from a core that says what a test wants."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import openai
import pytest

from slotline.v1.generation_pb2 import (
    FINISH_REASON_TOOL_CALLS,
    ToolDelta,
)
from tests.support.fake_core import WAIT_S, FakeCore, Refuse, Step, accepted, delta, finished, parts, said, thought
from tests.support.node import run_tests, skip_without_node, skip_without_package

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.adapter import AdapterThread

NODE = Path(__file__).resolve().parent.parent / "node"
TOOLS: Any = [
    {"type": "function", "name": "weather", "parameters": {"type": "object"}},
    {"type": "custom", "name": "patch"},
]

ANSWER: list[Step] = [
    accepted(),
    parts(thought("Two "), thought("calls.")),
    parts(said("I look ")),
    parts(said("it up."), ToolDelta(call=0, id="call_a", name="weather")),
    parts(ToolDelta(call=0, arguments='{"city": '), ToolDelta(call=0, arguments='"Київ"}')),
    parts(ToolDelta(call=1, id="call_b", name="patch", arguments='{"input": "+')),
    parts(ToolDelta(call=1, arguments='a\\n\\u042f"}')),
    finished(9, FINISH_REASON_TOOL_CALLS),
]


@pytest.fixture
def client(core: FakeCore, adapter: AdapterThread) -> Iterator[openai.OpenAI]:
    core.script = lambda request: ANSWER
    with openai.OpenAI(base_url=f"{adapter.url}/v1", api_key="none", max_retries=0, timeout=WAIT_S) as made:
        yield made


def check(answer: Any) -> None:
    thought, message, call, custom = answer.output
    assert (thought.type, thought.content[0].text, thought.summary) == ("reasoning", "Two calls.", [])
    assert answer.output_text == message.content[0].text == "I look it up."
    assert (call.type, call.call_id, call.name, call.arguments) == (
        "function_call",
        "call_a",
        "weather",
        '{"city": "Київ"}',
    )
    assert (custom.type, custom.call_id, custom.name, custom.input) == ("custom_tool_call", "call_b", "patch", "+a\nЯ")
    assert {item.status for item in answer.output} == {"completed"}
    assert answer.status == "completed"


def test_an_answer(client: openai.OpenAI) -> None:
    check(client.responses.create(model="any", input="Weather?", tools=TOOLS))


def test_the_stream_helper_joins_what_comes(client: openai.OpenAI) -> None:
    with client.responses.stream(model="any", input="Weather?", tools=TOOLS) as stream:
        events = list(stream)
        check(stream.get_final_response())
    thought = "".join(event.delta for event in events if event.type == "response.reasoning_text.delta")
    assert thought == "Two calls."


def test_the_client_of_node_joins_what_comes(client: openai.OpenAI, adapter: AdapterThread) -> None:
    skip_without_node()
    skip_without_package(NODE, "openai")
    run_tests(NODE / "scripted_responses.js", os.environ | {"SLOTLINE_URL": adapter.url})


def test_a_refusal_of_the_core_names_the_field_of_the_body(core: FakeCore, client: openai.OpenAI) -> None:
    path = "chat.messages[1].tool_calls_json[0].function.arguments"
    core.script = lambda request: [
        Refuse(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", "?", violations=((path, "is not JSON"),))
    ]
    with pytest.raises(openai.BadRequestError) as raised:
        client.responses.create(
            model="any",
            input=[
                {"role": "user", "content": "Hi"},
                {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{"},
            ],
        )
    assert raised.value.param == "input[1].arguments"


def test_a_stream_that_fails_says_why(core: FakeCore, client: openai.OpenAI) -> None:
    broken = Refuse(grpc.StatusCode.UNAVAILABLE, "MODEL_FAILED", "broken")
    core.script = lambda request: [accepted(), delta("Onc"), broken]
    *_, last = client.responses.create(model="any", input="Hi", stream=True)
    assert last.type == "response.failed"
    assert last.response.error is not None
    assert (last.response.error.code, last.response.error.message) == ("server_error", "broken")
    assert last.response.output_text == "Onc"
