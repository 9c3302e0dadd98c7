"""The head of an HTTP request, read strictly.

If a proxy and this server disagree about where a request ends, a client can smuggle a second one past the proxy. So
everything that says where a request ends is accepted in one form only, and refused in all others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import BinaryIO
from urllib.parse import urlsplit

from slotline.protocol.excerpt import quoted

#: A request line must be shorter than this.
MAX_LINE_BYTES = 8192
MAX_HEADERS = 100
MAX_HEADERS_BYTES = 64 * 1024

_REQUEST_LINE = re.compile(r"([A-Z][A-Z-]{0,19}) ([!-~\x80-\xff]+) (HTTP/1\.[01])\r?\n")
_LENGTH = re.compile(r"[0-9]{1,30}")
#: Characters that an error repeats of what the client sent.
_SHOWN = 60
_FIELD = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*\r?\n")

Fields = Sequence[tuple[str, str]]


class MalformedHead(ValueError):
    """The head of a request has a form that is not allowed.

    The message quotes what the client sent, so it is for the client alone: a header may hold its key.

    Attributes:
        summary: the same without what the client sent.
    """

    def __init__(self, part: str, text: str, allowed: str) -> None:
        super().__init__(f"{part} is {_shown(text)}; allowed is {allowed}")
        self.summary = f"{part} is malformed; allowed is {allowed}"


class LineTooLong(ValueError):
    """The request line is too long."""


class HeadersTooLarge(ValueError):
    """There are too many headers, or they are too long."""


def read_request_line(reader: BinaryIO) -> str:
    """Read a request line with its line end.

    Raises:
        ConnectionError: the client left before its end.
        LineTooLong: it is too long.
    """
    # Old clients send a line end after a body that is not part of it.
    for _ in range(2):
        line = reader.readline(MAX_LINE_BYTES).decode("latin-1")
        if line != "\r\n":
            break
    if len(line) == MAX_LINE_BYTES:
        raise LineTooLong(f"the request line has {MAX_LINE_BYTES} bytes or more; allowed are fewer")
    if not line:
        raise ConnectionError("the client left before its request")
    return line


def parse_request_line(line: str) -> tuple[str, str, str]:
    """Method, target and version (``HTTP/1.1``) of a request line.

    Raises:
        ValueError: its text says what is wrong.
    """
    found = _REQUEST_LINE.fullmatch(line)
    if found is None:
        raise MalformedHead("the request line", line, "METHOD PATH HTTP/1.1")
    method, target, version = found.groups()
    is_whole_server = (method, target) == ("OPTIONS", "*")
    if not (target.startswith("/") or is_whole_server or _is_url(target)):
        raise MalformedHead("the request target", target, "a path that begins with /")
    return method, target, version


def authority_and_path(target: str) -> tuple[str | None, str]:
    """The parts of a request target: the host of a URL, which replaces the header Host, or None; path and query.

    Raises:
        ValueError: it is no valid URL.
    """
    if not _is_url(target):
        return None, target
    url = urlsplit(target)
    return url.netloc, (url.path or "/") + ("?" + url.query if url.query else "")


def wsgi_fields(fields: Fields) -> dict[str, str]:
    """Headers as WSGI names them. Several of one name are joined.

    A name with an underscore is left out, because WSGI could not tell it from one with a hyphen.
    """
    environ: dict[str, str] = {}
    for name, value in fields:
        if "_" in name:
            continue
        key = name.upper().replace("-", "_")
        if key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            environ.setdefault(key, value)
            continue
        key = f"HTTP_{key}"
        before = environ.get(key)
        environ[key] = value if before is None else before + ("; " if "COOKIE" in key else ",") + value
    return environ


def ends_connection(version: str | None, values: Iterable[str]) -> bool:
    """Whether a client wants its connection closed after this request.

    Args:
        version: of the request, for example ``HTTP/1.1``.
        values: those of all headers named Connection: lists in any case.
    """
    options = {option.strip(" \t").lower() for value in values for option in value.split(",")}
    return "close" in options or (version == "HTTP/1.0" and "keep-alive" not in options)


def read_fields(reader: BinaryIO) -> Fields:
    """Read the headers of a request up to the empty line, as names and values in order.

    Raises:
        ConnectionError: the client left before their end.
        HeadersTooLarge: there are too many, or they are too long.
        ValueError: they contradict HTTP/1.1 or each other.
    """
    fields: list[tuple[str, str]] = []
    left = MAX_HEADERS_BYTES
    while True:
        line = reader.readline(left + 1)
        left -= len(line)
        if left < 0:
            raise HeadersTooLarge(f"the headers have more than {MAX_HEADERS_BYTES} bytes; allowed are no more")
        if not line.endswith(b"\n"):
            raise ConnectionError("the client left in the middle of the headers")
        if line in (b"\r\n", b"\n"):
            break
        if len(fields) == MAX_HEADERS:
            raise HeadersTooLarge(f"the request has more than {MAX_HEADERS} headers; allowed are no more")
        fields.append(_field(line.decode("latin-1")))
    _check_framing(fields)
    return fields


def _field(line: str) -> tuple[str, str]:
    found = _FIELD.fullmatch(line)
    if found is None:
        raise MalformedHead("a header", line, "NAME: VALUE on one line")
    return found[1], found[2]


def _check_framing(fields: Fields) -> None:
    hosts: list[str] = []
    all_lengths: list[str] = []
    codings: list[str] = []
    of_interest = {"host": hosts, "content-length": all_lengths, "transfer-encoding": codings}
    for name, value in fields:
        values = of_interest.get(name.lower())
        if values is not None:
            values.append(value)
    if len(hosts) > 1:
        raise MalformedHead("Host", ", ".join(hosts), "one")
    lengths = set(all_lengths)
    if len(lengths) > 1 or not all(_LENGTH.fullmatch(length) for length in lengths):
        raise MalformedHead("Content-Length", ", ".join(sorted(lengths)), "one whole number")
    if codings and [coding.lower() for coding in codings] != ["chunked"]:
        raise MalformedHead("Transfer-Encoding", ", ".join(codings), "chunked")
    if codings and lengths:
        raise ValueError("Content-Length and Transfer-Encoding are both given; allowed is one of them")


def _is_url(target: str) -> bool:
    return target.lower().startswith(("http://", "https://"))


def _shown(text: str) -> str:
    return quoted(text.rstrip("\r\n"), _SHOWN)
