from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import pytest
from grpc import StatusCode

from rest_adapter.apis.serving.sse import DONE, PING, EventStream, Heartbeat, event, plain_events
from rest_adapter.errors import RpcFailure, StreamClosed
from rest_adapter.http.error_forms import ErrorForm
from tests.support.memory_core import Answer, MemoryStream, Silence
from tests.unit.rest_adapter.messages import accepted, delta

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rest_adapter.json.encoding import JsonObject
    from slotline.v1.generation_pb2 import GenerateResponse


class EchoReply:
    """Makes one event per piece, and one at the end."""

    def feed(self, number: int, response: GenerateResponse) -> Iterator[JsonObject]:
        for piece in response.delta.pieces:
            yield {"n": number, "t": piece.text}

    def closing_events(self) -> Iterator[JsonObject]:
        yield {"end": True}

    def result(self) -> JsonObject:
        return {}


class BrokenReply(EchoReply):
    def feed(self, number: int, response: GenerateResponse) -> Iterator[JsonObject]:
        raise ZeroDivisionError


def body(
    *answers: Answer,
    reply: EchoReply | None = None,
    last: bytes = b"",
    has_first: bool = True,
    ping_s: float | None = None,
) -> tuple[EventStream, list[str]]:
    closed: list[str] = []
    stream = MemoryStream([(0, answer) for answer in answers])
    first = (0, accepted()) if has_first else None
    made = EventStream(
        first,
        stream,
        reply or EchoReply(),
        Heartbeat(ping_s),
        form=plain_events(ErrorForm.NATIVE, last),
        on_close=lambda: closed.append("closed"),
    )
    return made, closed


@pytest.mark.parametrize(
    ("data", "wire"),
    [
        ({"b": 1, "a": "é"}, 'data: {"a":"é","b":1}\n\n'),
        ({"t": "line\nbreak\r"}, 'data: {"t":"line\\nbreak\\r"}\n\n'),
        ({"t": "\u2028"}, 'data: {"t":"\u2028"}\n\n'),
        ({}, "data: {}\n\n"),
    ],
)
def test_an_event_is_one_line_of_data_and_an_empty_line(data: object, wire: str) -> None:
    assert event(data) == wire.encode()


def test_each_piece_is_an_item_of_its_own() -> None:
    made, _ = body(delta("a", "b"), delta("c"), last=DONE)
    assert list(made) == [
        b'data: {"n":0,"t":"a"}\n\n',
        b'data: {"n":0,"t":"b"}\n\n',
        b'data: {"n":0,"t":"c"}\n\n',
        b'data: {"end":true}\n\n',
        b"data: [DONE]\n\n",
    ]


def test_a_failure_is_the_last_event() -> None:
    failure = RpcFailure(StatusCode.UNAVAILABLE, "", "gone")
    made, _ = body(delta("a"), failure, delta("b"), last=DONE)
    assert list(made) == [
        b'data: {"n":0,"t":"a"}\n\n',
        b'data: {"error":{"code":503,"message":"gone","type":"unavailable_error"}}\n\n',
    ]


def test_a_fault_of_ours_is_an_event_without_its_cause_and_a_log_record(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, logger="rest_adapter"):
        made, _ = body(delta("a"), reply=BrokenReply(), last=DONE)
        assert list(made) == [
            b'data: {"error":{"code":500,"message":"the adapter failed to write the answer","type":"server_error"}}\n\n'
        ]
    assert "ZeroDivisionError" in caplog.text


def test_a_stream_that_was_closed_ends_without_an_event() -> None:
    made, _ = body(delta("a"), StreamClosed(), last=DONE)
    assert list(made) == [b'data: {"n":0,"t":"a"}\n\n']


def test_closing_happens_once_and_without_a_start() -> None:
    made, closed = body(delta("a"))
    made.close()
    made.close()
    assert closed == ["closed"]


def test_silence_is_filled_with_comments() -> None:
    made, _ = body(Silence(), Silence(), delta("a"), Silence(), delta("b"), last=DONE, ping_s=15.0)
    assert list(made) == [
        PING,
        PING,
        b'data: {"n":0,"t":"a"}\n\n',
        PING,
        b'data: {"n":0,"t":"b"}\n\n',
        b'data: {"end":true}\n\n',
        b"data: [DONE]\n\n",
    ]


def test_silence_stays_silent_unless_asked() -> None:
    made, _ = body(Silence(), delta("a"))
    assert list(made) == [b'data: {"n":0,"t":"a"}\n\n', b'data: {"end":true}\n\n']


def test_a_stream_that_begins_with_silence_begins_with_a_comment() -> None:
    made, _ = body(Silence(), accepted(), delta("a"), has_first=False, ping_s=15.0)
    assert list(made) == [PING, PING, b'data: {"n":0,"t":"a"}\n\n', b'data: {"end":true}\n\n']


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        (
            [RpcFailure(StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", "full")],
            b'{"code":429,"message":"full","type":"rate_limit_error"}',
        ),
        (
            [],
            b'{"code":500,"message":"the core ended the stream before the generation was finished",'
            b'"type":"server_error"}',
        ),
    ],
    ids=["a refusal", "a stream without messages"],
)
def test_what_fails_after_a_comment_is_an_event(answers: list[Answer], error: bytes) -> None:
    made, _ = body(Silence(), *answers, has_first=False, last=DONE, ping_s=15.0)
    assert list(made) == [PING, PING, b'data: {"error":' + error + b"}\n\n"]


def test_a_client_that_leaves_in_silence_is_sent_no_more() -> None:
    made, _ = body(Silence(), StreamClosed(), has_first=False, last=DONE, ping_s=15.0)
    assert list(made) == [PING, PING]


class Clock:
    """Time that passes only when a stream is waited for in vain."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waits: list[float] = []

    def wait(self, timeout_s: float) -> bool:
        self.waits.append(timeout_s)
        self.now += timeout_s
        return False


def test_a_sign_of_life_is_due_so_long_after_the_last_thing_that_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    stream = MemoryStream([])
    monkeypatch.setattr(stream, "wait", clock.wait)
    heartbeat = Heartbeat(15.0)
    clock.now += 4
    assert heartbeat.is_due(stream)
    heartbeat.beat()
    # Messages that nothing is sent for do not put it off.
    clock.now += 1
    assert heartbeat.is_due(stream)
    clock.now += 20
    assert heartbeat.is_due(stream)
    assert clock.waits == [11, 14, 0]
