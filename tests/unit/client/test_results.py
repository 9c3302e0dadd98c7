"""Messages of a stream to what the client gives."""

from __future__ import annotations

from typing import Any

import pytest

from slotline.client import IncompleteAnswer, ReasoningDelta, TextDelta, ToolCall, ToolCallDelta
from slotline.client.results import StreamState
from slotline.v1 import generation_pb2, tokens_pb2


def accepted() -> generation_pb2.GenerateResponse:
    """The first message."""
    return generation_pb2.GenerateResponse(accepted=generation_pb2.Accepted(slot_id=1))


def delta(*pieces: tuple[str, Any], calls: list[Any] | None = None, index: int = 0) -> generation_pb2.GenerateResponse:
    """New output: texts with their channels, then parts of calls."""
    made = generation_pb2.Delta(index=index, pieces=[generation_pb2.Piece(text=t, channel=c) for t, c in pieces])
    for number, call_id, name, arguments in calls or []:
        made.tool_deltas.add(call=number, id=call_id, name=name, arguments=arguments)
    return generation_pb2.GenerateResponse(delta=made)


def ending(reason: Any, index: int = 0) -> generation_pb2.GenerateResponse:
    """The last message."""
    finished = generation_pb2.Finished(index=index, reason=reason, usage=tokens_pb2.Usage(completion_tokens=9))
    return generation_pb2.GenerateResponse(finished=finished)


CONTENT, REASONING = generation_pb2.CHANNEL_CONTENT, generation_pb2.CHANNEL_REASONING
PARSED = [
    accepted(),
    delta(("I ", REASONING), ("", REASONING), ("think", REASONING), ("So", CONTENT)),
    delta(("!", CONTENT), calls=[(0, "c1", "f", ""), (0, "", "", '{"a"')]),
    delta(calls=[(0, "", "", ": 1}"), (1, "c2", "g", "{}")]),
    ending(generation_pb2.FINISH_REASON_TOOL_CALLS),
]


def test_parsed_output_is_told_apart() -> None:
    state = StreamState()
    assert [state.add(message) for message in PARSED] == [
        [],
        [ReasoningDelta("I think"), TextDelta("So")],
        [TextDelta("!"), ToolCallDelta(0, "c1", "f", ""), ToolCallDelta(0, "", "", '{"a"')],
        [ToolCallDelta(0, "", "", ": 1}"), ToolCallDelta(1, "c2", "g", "{}")],
        [],
    ]
    completion = state.completion()
    assert (completion.text, completion.reasoning, completion.finish_reason) == ("So!", "I think", "tool_calls")
    assert completion.tool_calls == (ToolCall("c1", "f", '{"a": 1}'), ToolCall("c2", "g", "{}"))
    assert [call.parsed for call in completion.tool_calls] == [{"a": 1}, {}]


def test_the_text_of_a_stream_is_content_only() -> None:
    state = StreamState()
    assert [state.add_text(message) for message in PARSED] == ["", "So", "!", "", ""]


def test_an_answer_is_a_message_to_go_on_with() -> None:
    state = StreamState()
    for message in PARSED:
        state.add(message)
    assert state.completion().message == {
        "role": "assistant",
        "content": "So!",
        "reasoning": "I think",
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}},
            {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
        ],
    }


@pytest.mark.parametrize(
    ("calls", "message"),
    [
        ([], {"role": "assistant", "content": ""}),
        (
            [(0, "c1", "f", "{}")],
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
        ),
    ],
)
def test_an_answer_without_text_has_null_content_only_with_calls(calls: Any, message: Any) -> None:
    state = StreamState()
    for one in (accepted(), delta(calls=calls), ending(generation_pb2.FINISH_REASON_STOP)):
        state.add(one)
    assert state.completion().message == message


@pytest.mark.parametrize("arguments", ["", '{"a": ', "[1]"])
def test_cut_arguments_are_not_parsed(arguments: str) -> None:
    with pytest.raises(IncompleteAnswer, match="the arguments of f are not a whole JSON object") as caught:
        _ = ToolCall("c1", "f", arguments).parsed
    assert caught.value.text == arguments


def test_an_answer_is_complete_only_at_its_end() -> None:
    state = StreamState()
    state.add(generation_pb2.GenerateResponse(accepted=generation_pb2.Accepted(slot_id=1)))
    with pytest.raises(RuntimeError, match="iterate to the end first"):
        state.completion()


def test_several_continuations_are_kept_apart_and_the_first_is_the_text() -> None:
    def piece(index: int, text: str) -> generation_pb2.GenerateResponse:
        delta = generation_pb2.Delta(index=index, pieces=[generation_pb2.Piece(text=text)])
        return generation_pb2.GenerateResponse(delta=delta)

    def ending(index: int, reason: Any, usage: tokens_pb2.Usage | None = None) -> generation_pb2.GenerateResponse:
        finished = generation_pb2.Finished(index=index, reason=reason, usage=usage)
        return generation_pb2.GenerateResponse(finished=finished)

    state = StreamState()
    state.add(generation_pb2.GenerateResponse(accepted=generation_pb2.Accepted(slot_id=1)))
    assert [state.add_text(piece(index, text)) for index, text in ((1, "x"), (0, "a"), (1, "y"), (0, "b"))] == [
        *("", "a"),
        *("", "b"),
    ]
    state.add(ending(0, generation_pb2.FINISH_REASON_STOP))
    with pytest.raises(RuntimeError, match="not complete"):
        state.completion()
    state.add(ending(1, generation_pb2.FINISH_REASON_LENGTH, tokens_pb2.Usage(completion_tokens=4)))
    completion = state.completion()
    assert (completion.text, completion.finish_reason) == ("ab", "stop")
    assert completion.usage.completion_tokens == 4
    assert [(one.text, one.finish_reason) for one in completion.continuations] == [("ab", "stop"), ("xy", "length")]
