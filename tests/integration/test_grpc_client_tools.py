"""Tools and typed answers of the Python client, from a core without a model that says what a test wants."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from slotline.client import (
    AsyncClient,
    Client,
    IncompleteAnswer,
    Message,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Tools,
)
from slotline.v1.generation_pb2 import (
    FINISH_REASON_LENGTH,
    FINISH_REASON_STOP,
    FINISH_REASON_TOOL_CALLS,
    GenerateRequest,
    ToolDelta,
)
from tests.support.fake_core import (
    WAIT_S,
    FakeCore,
    Step,
    accepted,
    delta,
    finished,
    parts,
    running_fake_core,
    said,
    thought,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUESTION: Message = {"role": "user", "content": "What is 2 + 3, and 4 + 5?"}
CALLING: list[Step] = [
    accepted(),
    parts(thought("I "), thought("add."), said("Well")),
    parts(ToolDelta(call=0, id="call_1", name="add", arguments='{"first": 2, ')),
    parts(ToolDelta(call=0, arguments='"second": 3}'), ToolDelta(call=1, id="call_2", name="add", arguments="{}")),
    finished(9, FINISH_REASON_TOOL_CALLS),
]


def add(first: int, second: int) -> int:
    """Adds two numbers."""
    return first + second


@dataclass
class Person:
    """Somebody."""

    name: str
    age: int = 0


def script(request: GenerateRequest) -> list[Step]:
    """Calls, unless there are results already."""
    if request.chat.messages[-1].role == "tool":
        return [accepted(), delta("5"), finished(1, FINISH_REASON_STOP)]
    return CALLING


@pytest.fixture
def core(tmp_path: Path) -> Iterator[FakeCore]:
    with running_fake_core(tmp_path) as made:
        made.script = script
        yield made


@pytest.fixture
def client(core: FakeCore) -> Iterator[Client]:
    with Client(core.address, deadline_s=WAIT_S) as made:
        yield made


def check_round(core: FakeCore) -> None:
    """What two requests of a conversation with calls ask."""
    first, second = (core.wait_for_call(number).request for number in range(2))
    assert json.loads(first.chat.tools_json)[0]["function"]["parameters"]["required"] == ["first", "second"]
    assert first.output.parse_output
    assert second.chat.messages[1].reasoning == "I add."
    assert second.chat.messages[1].content[0].text == "Well"
    told = [(one.role, one.tool_call_id, one.content[0].text) for one in second.chat.messages[2:]]
    assert told == [("tool", "call_1", "5"), ("tool", "call_2", "Error: first is missing")]


def test_a_conversation_with_tools_goes_on_with_their_results(core: FakeCore, client: Client) -> None:
    tools = Tools([add])
    messages = [QUESTION]
    generation = client.generate(messages, tools=tools)
    assert list(generation.deltas()) == [
        ReasoningDelta("I add."),
        TextDelta("Well"),
        ToolCallDelta(0, "call_1", "add", '{"first": 2, '),
        ToolCallDelta(0, "", "", '"second": 3}'),
        ToolCallDelta(1, "call_2", "add", "{}"),
    ]
    answer = generation.completion
    assert (answer.text, answer.reasoning, answer.finish_reason) == ("Well", "I add.", "tool_calls")
    assert [call.parsed for call in answer.tool_calls] == [{"first": 2, "second": 3}, {}]
    messages += tools.run(answer)
    assert client.complete(messages, tools=tools).text == "5"
    check_round(core)


async def test_the_same_with_asyncio(core: FakeCore) -> None:
    async def add(first: int, second: int) -> int:
        return first + second

    tools = Tools([add])
    messages = [QUESTION]
    async with AsyncClient(core.address, deadline_s=WAIT_S) as client:
        generation = client.generate(messages, tools=tools)
        kinds = [type(one) async for one in generation.deltas()]
        assert kinds == [ReasoningDelta, TextDelta, *[ToolCallDelta] * 3]
        messages += await tools.run_async(generation.completion)
        assert (await client.complete(messages, tools=tools)).text == "5"
        core.script = lambda request: [accepted(), delta('{"name": "Ann"}'), finished(4, FINISH_REASON_STOP)]
        assert (await client.parse([QUESTION], Person)).value == Person("Ann")
    check_round(core)


def test_the_text_of_a_parsed_answer_is_its_content(client: Client) -> None:
    assert list(client.generate([QUESTION], tools=[add])) == ["Well"]


def test_an_answer_comes_as_a_value(core: FakeCore, client: Client) -> None:
    core.script = lambda request: [accepted(), delta('{"name": "Ann", ', '"age": 4}'), finished(9, FINISH_REASON_STOP)]
    answer = client.parse([QUESTION], Person, max_tokens=50)
    assert (answer.value, answer.completion.finish_reason) == (Person("Ann", 4), "stop")
    constraint = core.wait_for_call().request.constraint
    assert json.loads(constraint.json_schema)["required"] == ["name"]
    core.script = lambda request: [accepted(), delta('{"name": "An'), finished(3, FINISH_REASON_LENGTH)]
    with pytest.raises(IncompleteAnswer, match="ended with length"):
        client.parse("A person: ", Person)
