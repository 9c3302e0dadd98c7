"""How an answer goes out over its connection."""

from __future__ import annotations

from typing import Any

import pytest

from rest_adapter.http.pywsgi_hooks import HookedHandler

DATED = [("Date", "today")]


class Connection:
    """A socket that takes so many bytes at once, and notes each call."""

    def __init__(self, room: int) -> None:
        self.calls: list[bytes] = []
        self._room = room

    def makefile(self, *_: Any) -> None:
        """Nothing is read."""

    def send(self, data: bytes) -> int:
        self.calls.append(bytes(data[: self._room]))
        return len(self.calls[-1])

    def sendall(self, data: bytes) -> None:
        self.calls.append(bytes(data))


class Handler(HookedHandler):
    def refuse(self, error: BaseException) -> None:
        raise NotImplementedError

    def answer_failure(self) -> None:
        raise NotImplementedError

    def log_failure(self, kind: type[BaseException], error: BaseException, traceback: Any) -> None:
        raise NotImplementedError


def handler_of(connection: Any, version: str = "HTTP/1.1") -> Handler:
    handler = Handler(connection, ("", 0), None)  # type: ignore[arg-type]
    handler.request_version = version
    return handler


def test_the_head_goes_out_with_the_first_bytes() -> None:
    connection = Connection(1 << 20)
    handler = handler_of(connection)
    handler.begin_answer("200 OK", [("A", "b"), *DATED], {"a", "date"})
    handler.write(b"one")
    handler.write(b"two")
    head = b"HTTP/1.1 200 OK\r\nA: b\r\nDate: today\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert connection.calls == [head + b"3\r\none\r\n", b"3\r\ntwo\r\n"]
    assert handler.response_length == sum(map(len, connection.calls))


@pytest.mark.parametrize(
    ("status", "headers", "version"),
    [
        ("200 OK", [("Content-Length", "3")], "HTTP/1.1"),
        ("304 NOT MODIFIED", [], "HTTP/1.1"),
        ("204 NO CONTENT", [], "HTTP/1.1"),
        ("200 OK", [], "HTTP/1.0"),
    ],
)
def test_there_are_no_chunks_where_another_thing_ends_the_body(
    status: str, headers: list[tuple[str, str]], version: str
) -> None:
    connection = Connection(1 << 20)
    handler = handler_of(connection, version)
    handler.begin_answer(status, [*headers, *DATED], {name.lower() for name, _ in [*headers, *DATED]})
    body = b"" if status[0] == "3" or status[:3] == "204" else b"one"
    handler.write(body)
    assert b"chunked" not in connection.calls[0]
    assert b"".join(connection.calls).partition(b"\r\n\r\n")[2] == body


@pytest.mark.parametrize("room", [0, 1, 100, 1 << 20])
def test_what_does_not_fit_into_the_buffer_follows(room: int) -> None:
    connection = Connection(room)
    handler = handler_of(connection)
    handler.begin_answer("200 OK", [("Content-Length", "200000"), *DATED], {"content-length", "date"})
    handler.write(b"x" * 200_000)
    head, _, body = b"".join(connection.calls).partition(b"\r\n\r\n")
    assert head == b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\nDate: today"
    assert body == b"x" * 200_000


@pytest.mark.parametrize("text", ["a\r\nB: c", "a\n", "a\r", "日"])
def test_no_header_can_hold_another_one(text: str) -> None:
    handler = handler_of(Connection(1))
    for headers in ([("A", text)], [(text, "a")]):
        with pytest.raises(ValueError):
            handler.begin_answer("200 OK", [*headers, *DATED], {"a", "date"})
    with pytest.raises(ValueError):
        handler.begin_answer(f"200 {text}", DATED, {"date"})


def test_a_body_where_none_may_be_is_a_fault() -> None:
    handler = handler_of(Connection(1))
    handler.begin_answer("304 NOT MODIFIED", DATED, {"date"})
    with pytest.raises(AssertionError, match="304"):
        handler.write(b"x")


def test_a_client_that_left_makes_the_status_negative() -> None:
    class Gone(Connection):
        def send(self, data: bytes) -> int:
            raise ConnectionResetError

    handler = handler_of(Gone(1))
    handler.begin_answer("200 OK", DATED, {"date"})
    with pytest.raises(ConnectionResetError):
        handler.write(b"x")
    assert (handler.code, handler.response_length) == (-200, 0)
