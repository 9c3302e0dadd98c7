"""The head of an HTTP request: one reading, and no other form."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rest_adapter.http.head import (
    MAX_HEADERS,
    MAX_HEADERS_BYTES,
    MAX_LINE_BYTES,
    HeadersTooLarge,
    LineTooLong,
    authority_and_path,
    ends_connection,
    parse_request_line,
    read_fields,
    read_request_line,
    wsgi_fields,
)


@pytest.mark.parametrize(
    "line",
    [
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.0\n",
        "OPTIONS * HTTP/1.1\r\n",
        "M-SEARCH /a?b#c HTTP/1.1\r\n",
        "GET http://a/b HTTP/1.1\r\n",
        "GET /\xe9 HTTP/1.1\r\n",
    ],
)
def test_request_lines_of_http_are_taken(line: str) -> None:
    parse_request_line(line)


@pytest.mark.parametrize(
    "line", ["", "\r\n", "GET /\r\n", "GET / HTTP/1.1", "GET / HTTP/1.1\r\r\n", "GET /\x85 HTTP/1.1 \r\n"]
)
def test_other_request_lines_are_refused(line: str) -> None:
    with pytest.raises(ValueError, match="allowed is METHOD PATH HTTP/1"):
        parse_request_line(line)


@pytest.mark.parametrize("target", ["*", "health", "?", "a:80", "file:///a"])
def test_a_target_that_is_no_path_is_refused(target: str) -> None:
    with pytest.raises(ValueError, match="allowed is a path"):
        parse_request_line(f"GET {target} HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("target", "authority", "path"),
    [
        ("/a?b", None, "/a?b"),
        ("//a/b", None, "//a/b"),
        ("*", None, "*"),
        ("http://a", "a", "/"),
        ("HTTP://a:1?b=/c", "a:1", "/?b=/c"),
        ("https://u@a/b/c?d", "u@a", "/b/c?d"),
    ],
)
def test_the_parts_of_a_target(target: str, authority: str | None, path: str) -> None:
    assert authority_and_path(target) == (authority, path)


def test_a_request_line_may_follow_an_empty_one() -> None:
    reader = io.BytesIO(b"\r\nGET / HTTP/1.1\r\nA: b\r\n")
    assert read_request_line(reader) == "GET / HTTP/1.1\r\n"
    assert read_request_line(io.BytesIO(b"\r\n\r\nGET")) == "\r\n"


@pytest.mark.parametrize("data", [b"", b"\r\n"])
def test_the_end_of_the_input_is_no_request_line(data: bytes) -> None:
    with pytest.raises(ConnectionError):
        read_request_line(io.BytesIO(data))


def test_a_request_line_has_a_limit() -> None:
    assert len(read_request_line(io.BytesIO(b"a" * (MAX_LINE_BYTES - 2) + b"\n"))) == MAX_LINE_BYTES - 1
    with pytest.raises(LineTooLong, match="8192 bytes or more"):
        read_request_line(io.BytesIO(b"a" * MAX_LINE_BYTES + b"\n"))


@pytest.mark.parametrize(
    ("values", "new", "old"),
    [
        ([], False, True),
        ([""], False, True),
        (["close"], True, True),
        (["Close"], True, True),
        (["TE, close"], True, True),
        (["TE,CLOSE ,"], True, True),
        (["TE", "close"], True, True),
        (["keep-alive"], False, False),
        (["Keep-Alive, TE"], False, False),
        (["te", "keep-alive"], False, False),
        (["keep-alive, close"], True, True),
        (["closed"], False, True),
        (["not-close, x"], False, True),
        (["upgrade"], False, True),
    ],
)
def test_words_of_connection(values: list[str], new: bool, old: bool) -> None:
    assert ends_connection("HTTP/1.1", values) is new
    assert ends_connection("HTTP/1.0", values) is old


def test_headers_keep_their_order_and_lose_the_blanks_around_values() -> None:
    reader = io.BytesIO(b"A:b\r\nC: \t d e\t \r\nA:\nD: \xc9\r\n\r\nrest")
    assert read_fields(reader) == [("A", "b"), ("C", "d e"), ("A", ""), ("D", "\xc9")]
    assert reader.read() == b"rest"


def test_headers_have_other_names_in_wsgi_and_none_can_pose_as_another() -> None:
    fields = [("Accept", "a"), ("X-A", "1"), ("Content-Type", "t/t"), ("content-length", "3"), ("X_A", "no")]
    again = [("x-a", "2"), ("Cookie", "c=1"), ("cookie", "d=2"), ("Content-Type", "u/u"), ("Content-Length", "3")]
    assert wsgi_fields([*fields, *again]) == {
        "HTTP_ACCEPT": "a",
        "HTTP_X_A": "1,2",
        "HTTP_COOKIE": "c=1; d=2",
        "CONTENT_TYPE": "t/t",
        "CONTENT_LENGTH": "3",
    }


@pytest.mark.parametrize("number", [MAX_HEADERS, MAX_HEADERS + 1])
def test_the_number_of_headers_has_a_bound(number: int) -> None:
    reader = io.BytesIO(b"A: b\r\n" * number + b"\r\n")
    if number <= MAX_HEADERS:
        assert len(read_fields(reader)) == number
    else:
        with pytest.raises(HeadersTooLarge, match=f"more than {MAX_HEADERS} headers"):
            read_fields(reader)


@pytest.mark.parametrize("excess", [0, 1])
def test_the_size_of_the_headers_has_a_bound(excess: int) -> None:
    head = b"A: ".ljust(MAX_HEADERS_BYTES - 4 + excess, b"b") + b"\r\n\r\n"
    if not excess:
        assert len(read_fields(io.BytesIO(head))) == 1
    else:
        with pytest.raises(HeadersTooLarge, match=f"more than {MAX_HEADERS_BYTES} bytes"):
            read_fields(io.BytesIO(head))


@pytest.mark.parametrize("head", [b"", b"A: b", b"A: b\r\n", b"A: b\r\n\r"])
def test_headers_without_an_end_are_those_of_a_client_that_left(head: bytes) -> None:
    with pytest.raises(ConnectionError):
        read_fields(io.BytesIO(head))


@given(st.binary(max_size=60))
def test_whatever_comes_is_taken_as_it_was_sent_or_refused(head: bytes) -> None:
    try:
        fields = read_fields(io.BytesIO(head + b"\r\n\r\n"))
    except (ValueError, ConnectionError):
        return
    for name, value in fields:
        assert f"{name}:".encode("latin-1") in head
        assert value.encode("latin-1") in head
        assert not set(name + value) & set("\0\r\n")
