"""Messages of a body as turns of a conversation."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rest_adapter.apis.anthropic.messages.request import read_messages
from rest_adapter.errors import InvalidRequest

USE = {"type": "tool_use", "id": "t1", "name": "f", "input": {"b": 1, "a": [2]}}
OTHER_USE = {"type": "tool_use", "id": "t2", "name": "g", "input": {}}
CALL = {"id": "t1", "type": "function", "function": {"name": "f", "arguments": {"b": 1, "a": [2]}}}
OTHER_CALL = {"id": "t2", "type": "function", "function": {"name": "g", "arguments": {}}}
USER = {"role": "user", "content": "Hi"}
SAID = {"role": "user", "text": "Hi"}
BILLING = "x-anthropic-billing-header: cc_version=2.1; cch=1a2b3;"


def text(words: str, **more: object) -> dict[str, object]:
    return {"type": "text", "text": words, **more}


def result(call_id: str, *content: Any, **more: object) -> dict[str, object]:
    given = {"content": content[0]} if content else {}
    return {"type": "tool_result", "tool_use_id": call_id, **given, **more}


def turns_of(*messages: object, **body: object) -> list[dict[str, Any]]:
    chat = read_messages({"messages": list(messages), **body}).request.chat
    turns = []
    for message in chat.messages:
        turn: dict[str, Any] = {"role": message.role, "text": "".join(part.text for part in message.content)}
        if message.HasField("tool_calls_json"):
            turn["calls"] = json.loads(message.tool_calls_json)
        if message.HasField("tool_call_id"):
            turn["answers"] = message.tool_call_id
        if message.HasField("reasoning"):
            turn["thought"] = message.reasoning
        turns.append(turn)
    return turns


@pytest.mark.parametrize(
    ("messages", "turns"),
    [
        ([USER], [SAID]),
        ([{"role": "user", "content": [text("Hi", cache_control={"type": "ephemeral"})]}], [SAID]),
        # Blocks of the user are lines, those of the assistant parts of one text.
        ([{"role": "user", "content": [text("a"), text("b\n"), text("c")]}], [{"role": "user", "text": "a\nb\nc"}]),
        (
            [USER, {"role": "assistant", "content": [text("a"), text("b")]}, USER],
            [SAID, {"role": "assistant", "text": "ab"}, SAID],
        ),
        # Neighbours of one role are one turn.
        ([USER, {"role": "user", "content": "there"}], [{"role": "user", "text": "Hi\nthere"}]),
        (
            [
                USER,
                {"role": "assistant", "content": "a"},
                {"role": "assistant", "content": [USE]},
                {"role": "user", "content": [result("t1", "r")]},
            ],
            [
                SAID,
                {"role": "assistant", "text": "a", "calls": [CALL]},
                {"role": "tool", "text": "r", "answers": "t1"},
            ],
        ),
        # Results come before what the user says, wherever they stand.
        (
            [
                USER,
                {"role": "assistant", "content": [text("So: "), USE, OTHER_USE]},
                {"role": "user", "content": [text("Go on"), result("t1", "r"), result("t2", [text("x"), text("y")])]},
            ],
            [
                SAID,
                {"role": "assistant", "text": "So: ", "calls": [CALL, OTHER_CALL]},
                {"role": "tool", "text": "r", "answers": "t1"},
                {"role": "tool", "text": "x\ny", "answers": "t2"},
                {"role": "user", "text": "Go on"},
            ],
        ),
        (
            [
                {
                    "role": "user",
                    "content": [
                        result("1"),
                        result("2", "no such file", is_error=True),
                        result("3", "Error: 5", is_error=True),
                        result("4", "Error 5", is_error=False),
                        result("5", "", is_error=True),
                    ],
                }
            ],
            [
                {"role": "tool", "text": said, "answers": str(number + 1)}
                for number, said in enumerate(["", "Error: no such file", "Error: 5", "Error 5", "Error: "])
            ],
        ),
        # Thoughts, but not those that cannot be read.
        (
            [
                USER,
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "hm", "signature": "s"},
                        {"type": "redacted_thinking", "data": "?"},
                        {"type": "thinking", "thinking": "ah", "signature": ""},
                        text("a"),
                    ],
                },
                USER,
            ],
            [SAID, {"role": "assistant", "text": "a", "thought": "hm\nah"}, SAID],
        ),
        (
            [USER, {"role": "system", "content": [text("a"), text("b")]}, {"role": "system", "content": "c"}, USER],
            [SAID, {"role": "system", "text": "a\nb"}, {"role": "system", "text": "c"}, SAID],
        ),
        ([], [{"role": "user", "text": ""}]),
        ([{"role": "user", "content": []}], [{"role": "user", "text": ""}]),
        ([USER, {"role": "assistant", "content": ""}], [SAID]),
        ([USER, {"role": "assistant", "content": []}], [SAID]),
    ],
)
def test_messages_become_turns(messages: list[object], turns: list[object]) -> None:
    assert turns_of(*messages) == turns


def test_input_of_calls_keeps_the_order_of_its_keys() -> None:
    after = {"role": "user", "content": [result("t1", "r")]}
    request = read_messages({"messages": [USER, {"role": "assistant", "content": [USE]}, after]}).request
    assert '"arguments":{"b":1,"a":[2]}' in request.chat.messages[1].tool_calls_json


@pytest.mark.parametrize(
    ("system", "said"),
    [
        ("Be brief.", "Be brief."),
        ([text("Be brief."), text("Be kind.")], "Be brief.\nBe kind."),
        ([text(BILLING), text("Be brief.")], "Be brief."),
        ([text("Be brief."), text(BILLING)], "Be brief."),
        ([text(f"{BILLING}\nBe brief.")], "Be brief."),
        (f"{BILLING}\nBe brief.", "Be brief."),
        ("Say x-anthropic-billing-header: twice.", "Say x-anthropic-billing-header: twice."),
        (BILLING, None),
        ([text(BILLING)], None),
        ([], None),
        ("", None),
        (None, None),
    ],
)
def test_the_system_speaks_first_but_not_of_who_pays(system: object, said: str | None) -> None:
    assert turns_of(USER, system=system) == [*([{"role": "system", "text": said}] if said else []), SAID]


@pytest.mark.parametrize("content", ["Once", [text("On"), text("ce")]])
def test_a_last_message_of_the_assistant_is_continued(content: object) -> None:
    request = read_messages({"messages": [USER, {"role": "assistant", "content": content}]}).request
    assert request.chat.continue_final_message
    assert request.sampling.penalty_prompt.text == "Once"


def test_other_conversations_are_answered() -> None:
    request = read_messages({"messages": [USER, {"role": "assistant", "content": ""}]}).request
    assert not request.chat.continue_final_message
    assert request.sampling.penalty_prompt.HasField("token_ids")


@pytest.mark.parametrize(
    ("message", "name", "problem"),
    [
        ({"role": "assistant", "content": [text("a"), USE]}, "messages[1].content[1]", "send a tool_result"),
        (
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": ""}]},
            "messages[1]",
            "has no text to continue",
        ),
        ({"role": "user"}, "messages[1].content", "is missing; send a string or an array"),
        ({"role": "user", "content": None}, "messages[1].content", "null is not a string or an array"),
        ({"content": "x"}, "messages[1].role", 'is missing; send "user" or "assistant" or "system"'),
        ({"role": "tool", "content": "x"}, "messages[1].role", '"tool" is not "user"'),
        ({"role": "user", "content": [{"type": "document"}]}, "messages[1].content[0].type", '"document"'),
        ({"role": "user", "content": [USE]}, "messages[1].content[0].type", '"tool_use" is not "text"'),
        (
            {"role": "user", "content": [result("1", [{"type": "document"}])]},
            "messages[1].content[0].content[0].type",
            '"document" is not "text" or "image"',
        ),
        (
            {"role": "assistant", "content": [USE | {"input": "{}"}]},
            "messages[1].content[0].input",
            '"{}" is not an object',
        ),
        ({"role": "assistant", "content": [USE | {"name": ""}]}, "messages[1].content[0].name", '"" is not a string'),
        ("x", "messages[1]", '"x" is not an object'),
    ],
)
def test_wrong_messages_are_named(message: object, name: str, problem: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        turns_of(USER, message)
    assert raised.value.name == name
    assert problem in raised.value.message
