"""Parsed output to the messages of a stream."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.dialogue.output import Channel
from service.engine.request.events import FinishReason, Piece, ToolDelta
from slotline.v1 import generation_pb2
from tests.unit.api.convert.test_events import FINISHED, encode

CONTENT, REASONING = generation_pb2.CHANNEL_CONTENT, generation_pb2.CHANNEL_REASONING


def test_pieces_say_what_they_belong_to() -> None:
    (response,) = encode(
        Piece("hm", channel=Channel.REASONING), Piece("Hi", channel=Channel.CONTENT), Piece("raw", index=0)
    )
    assert [(piece.text, piece.channel) for piece in response.delta.pieces] == [
        ("hm", REASONING),
        ("Hi", CONTENT),
        ("raw", generation_pb2.CHANNEL_UNSPECIFIED),
    ]


def test_parts_of_calls_come_behind_pieces_of_the_same_delta_only() -> None:
    responses = encode(
        Piece("a", channel=Channel.CONTENT),
        ToolDelta(0, "call_1", "get"),
        ToolDelta(0, arguments="{}"),
        ToolDelta(0, "call_x", "other", index=1),
        Piece("b", channel=Channel.CONTENT),
        ToolDelta(1, "call_2", "get"),
    )
    told = [
        (
            response.delta.index,
            [piece.text for piece in response.delta.pieces],
            [(part.call, part.id, part.name, part.arguments) for part in response.delta.tool_deltas],
        )
        for response in responses
    ]
    assert told == [
        (0, ["a"], [(0, "call_1", "get", ""), (0, "", "", "{}")]),
        (1, [], [(0, "call_x", "other", "")]),
        (0, ["b"], [(1, "call_2", "get", "")]),
    ]


@pytest.mark.parametrize(
    ("reason", "n_calls", "expected"),
    [
        (FinishReason.STOP, 0, generation_pb2.FINISH_REASON_STOP),
        (FinishReason.STOP, 1, generation_pb2.FINISH_REASON_TOOL_CALLS),
        (FinishReason.LENGTH, 1, generation_pb2.FINISH_REASON_LENGTH),
        (FinishReason.CANCELLED, 1, generation_pb2.FINISH_REASON_CANCELLED),
    ],
)
def test_an_answer_with_whole_calls_ends_with_them(
    reason: FinishReason, n_calls: int, expected: generation_pb2.FinishReason.ValueType
) -> None:
    (response,) = encode(replace(FINISHED, reason=reason, n_calls=n_calls))
    assert response.finished.reason == expected


def test_reasoning_is_counted_over_all_sequences_if_output_is_parsed() -> None:
    first = replace(FINISHED, is_last=False, reasoning_tokens=3)
    *_, last = encode(first, replace(FINISHED, index=1, reasoning_tokens=4))
    assert last.finished.usage.reasoning_tokens == 7
    (plain,) = encode(FINISHED)
    assert not plain.finished.usage.HasField("reasoning_tokens")
