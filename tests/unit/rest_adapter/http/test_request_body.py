"""The body of a request on its way from the connection."""

from __future__ import annotations

import io
from typing import Any

import gevent
import pytest
from gevent import socket

from rest_adapter.http.body import Deadline, RequestBody, TooSlow
from rest_adapter.http.places import Place, Places

LATER_S = 20.0


def body_of(data: bytes, *, length: int | None = None, is_chunked: bool = False, asks: Any = None) -> RequestBody:
    """A body that is there already."""
    with socket.socket() as connection:
        place = Place(Places(1), connection)
    return RequestBody(
        io.BytesIO(data), length, socket=asks, chunked_input=is_chunked, deadline=Deadline(LATER_S), place=place
    )


def test_a_body_is_read_to_its_end_and_not_further() -> None:
    body = body_of(b"abcdef", length=4)
    assert (body.read(3), body.read(), body.read()) == (b"abc", b"d", b"")
    assert body.rfile.read() == b"ef"


@pytest.mark.parametrize("size", [1, 3, None])
def test_chunks_are_joined(size: int | None) -> None:
    text = b"".join(b"1\r\n%c\r\n" % (97 + number % 26) for number in range(6000))
    body = body_of(text + b"0\r\n\r\nrest", is_chunked=True)
    pieces = list(iter(lambda: body.read(size), b""))
    assert b"".join(pieces) == bytes(97 + number % 26 for number in range(6000))
    assert body.rfile.read() == b"rest"


def test_chunks_of_a_byte_let_others_run() -> None:
    data = b"1\r\na\r\n" * 50_000 + b"0\r\n\r\n"
    body = body_of(data, is_chunked=True)
    positions: list[int] = []

    def look() -> None:
        while len(positions) < 3:
            positions.append(body.rfile.tell())
            gevent.sleep(0)

    other = gevent.spawn(look)
    assert len(body.read()) == 50_000
    other.join()
    assert positions[0] < positions[1] < positions[2] < 4 * 256 * len(b"1\r\na\r\n")


@pytest.mark.parametrize("data", [b"\r\n", b"x\r\n", b"2\r\na", b"2\r\nabc", b"0\r\nA B: c\r\n\r\n", b""])
def test_malformed_chunks_are_an_os_error_and_leave_the_connection_unusable(data: bytes) -> None:
    body = body_of(data, is_chunked=True)
    with pytest.raises(OSError):
        body.read()
    assert body.is_broken
    assert not body.is_late
    body.after_answer()
    assert not body.is_done


def test_what_was_not_read_is_thrown_away() -> None:
    body = body_of(b"abcdef", length=4)
    body.after_answer()
    assert body.is_done
    assert body.rfile.read() == b"ef"


@pytest.mark.parametrize(("length", "is_done"), [(4, False), (0, True), (None, True)])
def test_a_body_that_nobody_asked_for_may_come_or_not(length: int | None, is_done: bool) -> None:
    with socket.socket() as asks:
        body = body_of(b"", length=length, asks=asks)
        body.after_answer()
        assert body.is_done is is_done


@pytest.mark.parametrize("is_chunked", [True, False])
def test_a_body_that_does_not_come_in_time_is_late(is_chunked: bool) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, ours.makefile("rb") as reader:
        place = Place(Places(1), ours)
        body = RequestBody(reader, 9, socket=None, chunked_input=is_chunked, deadline=Deadline(0.01), place=place)
        theirs.sendall(b"9\r\nabc")
        with pytest.raises(TooSlow):
            body.read()
    assert body.is_broken
    assert body.is_late
