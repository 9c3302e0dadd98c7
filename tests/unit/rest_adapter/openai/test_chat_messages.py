"""The messages of POST /v1/chat/completions, and the penalties that follow from them."""

from __future__ import annotations

import pytest

from rest_adapter.apis.openai.chat.request import ChatCall, read_chat
from rest_adapter.errors import InvalidRequest

USER = [{"role": "user", "content": "Hi"}]


BEGUN = [*USER, {"role": "assistant", "content": "Once upon "}]


def read(**body: object) -> ChatCall:
    return read_chat({"messages": USER, **body})


def test_null_asks_for_the_prompt_as_the_base_of_penalties() -> None:
    assert not read(penalty_prompt=None).request.sampling.HasField("penalty_prompt")


@pytest.mark.parametrize(
    ("messages", "turns"),
    [
        (USER, [("user", "Hi")]),
        ([{"role": "system", "content": "S"}, *USER], [("system", "S"), ("user", "Hi")]),
        ([{"role": "assistant", "content": None}], [("assistant", "")]),
        ([{"role": "assistant"}], [("assistant", "")]),
        ([{"role": "tool"}], [("tool", "")]),
        ([{"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}], [("assistant", "No.")]),
        ([{"role": "assistant", "content": None, "refusal": "No."}], [("assistant", "No.")]),
        ([{"role": "assistant", "content": "Yes.", "refusal": None}], [("assistant", "Yes.")]),
        ([{"role": "user", "content": ""}], [("user", "")]),
        ([{"role": "user", "content": []}], [("user", "")]),
        ([{"role": "user", "content": [{"type": "text", "text": "a"}]}], [("user", "a")]),
        (
            [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}],
            [("user", "ab")],
        ),
        ([{"role": "user", "content": ["a", "b"]}], [("user", "ab")]),
    ],
)
def test_messages(messages: list[object], turns: list[tuple[str, str]]) -> None:
    chat = read_chat({"messages": messages}).request.chat
    assert [(turn.role, "".join(part.text for part in turn.content)) for turn in chat.messages] == turns


def test_names_and_tool_turns_reach_the_template() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    chat = read_chat(
        {
            "messages": [
                {"role": "user", "content": "x", "name": "Ann"},
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "content": "y", "tool_call_id": "c1"},
            ]
        }
    ).request.chat
    assert chat.messages[0].name == "Ann"
    assert chat.messages[1].tool_calls_json == (
        '[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]'
    )
    assert chat.messages[2].tool_call_id == "c1"


@pytest.mark.parametrize(
    ("fields", "reasoning"),
    [
        ({}, None),
        ({"reasoning_content": None, "reasoning": None}, None),
        ({"reasoning_content": "Hm."}, "Hm."),
        ({"reasoning": "Hm."}, "Hm."),
        ({"reasoning_content": "Hm.", "reasoning": "Hm."}, "Hm."),
    ],
)
def test_what_the_assistant_thought_reaches_the_template(fields: dict[str, object], reasoning: str | None) -> None:
    (turn,) = read(messages=[{"role": "assistant", "content": "Yes.", **fields}]).request.chat.messages
    assert (turn.reasoning if turn.HasField("reasoning") else None) == reasoning


def test_thoughts_of_others_are_left_out() -> None:
    (turn,) = read(messages=[{"role": "user", "content": "Hi", "reasoning": "Hm."}]).request.chat.messages
    assert not turn.HasField("reasoning")


@pytest.mark.parametrize("value", [None, False])
def test_a_last_message_of_the_assistant_is_not_continued_unless_asked_for(value: object) -> None:
    request = read(messages=BEGUN, continue_final_message=value).request
    assert not request.chat.continue_final_message
    assert not request.sampling.penalty_prompt.token_ids.ids


@pytest.mark.parametrize(("n", "sequences"), [(None, 0), (3, 3)])
def test_the_last_message_is_continued_in_each_choice(n: object, sequences: int) -> None:
    request = read(messages=BEGUN, continue_final_message=True, n=n).request
    assert request.chat.continue_final_message
    assert request.num_sequences == sequences


def test_penalties_look_at_the_text_that_is_continued() -> None:
    in_parts = {"role": "assistant", "content": ["Once ", {"type": "text", "text": "upon "}]}
    for messages in (BEGUN, [*USER, in_parts]):
        request = read(messages=messages, continue_final_message=True).request
        assert request.sampling.penalty_prompt.text == "Once upon "
    request = read(messages=BEGUN, continue_final_message=True, penalty_prompt="x").request
    assert request.sampling.penalty_prompt.text == "x"
    request = read(messages=BEGUN, continue_final_message=True, penalty_prompt=None).request
    assert not request.sampling.HasField("penalty_prompt")


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        ({"role": "user", "content": "x"}, 'true needs a last message of the assistant; its role is "user"'),
        ({"role": "assistant", "content": ""}, "true needs a text to continue; the last message has none"),
        ({"role": "assistant", "content": [""]}, "true needs a text to continue; the last message has none"),
        ({"role": "assistant"}, "true needs a text to continue; the last message has none"),
        (
            {"role": "assistant", "content": "x", "tool_calls": [{"id": "1"}]},
            "true is not allowed with tool calls in the last message",
        ),
    ],
)
def test_another_last_message_cannot_be_continued(last: dict[str, object], reason: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(messages=[*USER, last], continue_final_message=True)
    assert caught.value.message == f"continue_final_message: {reason}"


@pytest.mark.parametrize(
    ("messages", "name"),
    [
        (None, "messages"),
        ("Hi", "messages"),
        ({}, "messages"),
        ([], "messages"),
        (["Hi"], "messages[0]"),
        ([None], "messages[0]"),
        ([*USER, 5], "messages[1]"),
        ([{"role": 5}], "messages[0].role"),
        ([{"role": "user", "content": 5}], "messages[0].content"),
        ([{"role": "user", "content": {}}], "messages[0].content"),
        ([{"role": "user", "content": True}], "messages[0].content"),
        ([{"role": "user", "content": [5]}], "messages[0].content[0]"),
        ([{"role": "user", "content": ["a", {"type": "image_url"}]}], "messages[0].content[1].image_url"),
        ([{"role": "user", "content": ["a", {"type": "input_audio"}]}], "messages[0].content[1].type"),
        ([{"role": "user", "content": ["a", {"text": "b"}]}], "messages[0].content[1].type"),
        ([{"role": "user", "content": [{"type": "refusal", "refusal": "No."}]}], "messages[0].content[0].type"),
        ([{"role": "assistant", "content": [{"type": "refusal"}]}], "messages[0].content[0].refusal"),
        ([{"role": "assistant", "refusal": 5}], "messages[0].refusal"),
        ([{"content": "x"}], "messages[0].role"),
        ([{"role": None, "content": "x"}], "messages[0].role"),
        ([{"role": "", "content": "x"}], "messages[0].role"),
        ([*USER, {"content": "x"}], "messages[1].role"),
        ([{"role": "user"}], "messages[0].content"),
        ([{"role": "user", "text": "Hi"}], "messages[0].content"),
        ([{"role": "system", "content": None}], "messages[0].content"),
        ([{"role": "developer"}], "messages[0].content"),
        ([{"role": "user", "content": [{"type": "text"}]}], "messages[0].content[0].text"),
        ([{"role": "user", "content": [{"type": "text", "text": 5}]}], "messages[0].content[0].text"),
        ([{"role": "user", "content": "x", "name": 5}], "messages[0].name"),
        ([{"role": "tool", "tool_call_id": 5}], "messages[0].tool_call_id"),
        ([{"role": "assistant", "tool_calls": "x"}], "messages[0].tool_calls"),
        ([{"role": "assistant", "function_call": {"name": "f"}}], "messages[0].function_call"),
        ([*USER, {"role": "assistant", "audio": {"id": "a"}}], "messages[1].audio"),
        ([{"role": "assistant", "reasoning_content": 5}], "messages[0].reasoning_content"),
        ([{"role": "assistant", "reasoning": ["x"]}], "messages[0].reasoning"),
        ([{"role": "assistant", "reasoning_content": "x", "reasoning": "y"}], "messages[0].reasoning_content"),
    ],
)
def test_other_messages_are_refused(messages: object, name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_chat({"messages": messages})
    assert caught.value.name == name
