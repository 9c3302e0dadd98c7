"""The JSON dialect of the REST API: compact, keys sorted, UTF-8 unescaped, numbers that JSON lacks as null."""

from __future__ import annotations

import codecs
import json
import math
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

from rest_adapter.errors import InvalidBody

JsonObject = dict[str, Any]

# Bytes of a piece, and entries of an array that are written at once.
PIECE_BYTES = 1 << 16
_STEP = 512


def _not_json(value: object) -> NoReturn:
    if isinstance(value, Encoded):
        raise _HoldsEncoded
    raise TypeError(f"{type(value).__name__} is not JSON")


_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_not_json
)
# For error messages: what a client wrote as 1e999 is shown as Infinity, not as the null that answers have for it.
_SHOWING = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_SHOWN = 60
# Looked up now, for that imports a module: a request must not fail for want of a file descriptor.
_decode_text = codecs.getdecoder("utf-8-sig")
# How escapes that spell half of a surrogate pair begin; no UTF-8 text holds one.
HALVES = (b"\\ud", b"\\uD")


@dataclass(frozen=True, slots=True)
class Encoded:
    """A value that is JSON text already; it may stand for a value in what is encoded."""

    text: bytes


class _HoldsEncoded(Exception):
    """A value that was to be encoded at once holds text already."""


def encode(value: object) -> bytes:
    """JSON text as UTF-8. Infinities and NaN become null."""
    try:
        text = _ENCODER.encode(value)
    except _HoldsEncoded:
        return b"".join(_small_pieces(value))
    except ValueError:
        text = _ENCODER.encode(_without_non_finite(value))
    return text.encode()


def encode_in_pieces(value: object) -> Iterator[bytes]:
    """The same text in pieces of about ``PIECE_BYTES``; each takes a moment only, however large the value is."""
    return joined(_small_pieces(value))


def joined(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in fewer pieces, of about ``PIECE_BYTES``: each is a write of its own later."""
    pieces: list[bytes] = []
    size = 0
    for part in parts:
        pieces.append(part)
        size += len(part)
        if size >= PIECE_BYTES:
            yield b"".join(pieces)
            pieces, size = [], 0
    if pieces:
        yield b"".join(pieces)


def _small_pieces(value: object) -> Iterator[bytes]:
    if isinstance(value, Encoded):
        yield value.text
    elif isinstance(value, dict):
        mark = b"{"
        for key in sorted(value):
            yield mark + encode(key) + b":"
            yield from _small_pieces(value[key])
            mark = b","
        yield b"}" if value else b"{}"
    elif isinstance(value, list):
        yield b"["
        for start in range(0, len(value), _STEP):
            if start:
                yield b","
            yield from _of_items(value[start : start + _STEP])
        yield b"]"
    elif isinstance(value, str) and len(value) > PIECE_BYTES:
        yield b'"'
        for start in range(0, len(value), PIECE_BYTES):
            yield encode(value[start : start + PIECE_BYTES])[1:-1]
        yield b'"'
    else:
        yield encode(value)


def _of_items(items: list[object]) -> Iterator[bytes]:
    if not any(isinstance(item, dict | list | str | Encoded) for item in items):
        yield encode(items)[1:-1]
        return
    for number, item in enumerate(items):
        if number:
            yield b","
        yield from _small_pieces(item)


def decode(body: bytes) -> object:
    """The value of a JSON text. Of equal keys in one object the last counts.

    Raises:
        InvalidBody: the text is not JSON, not UTF-8, nested too deeply, or holds NaN, an infinity or half a surrogate
            pair.
    """
    with decoding():
        value: object = json.loads(text_of(body), parse_constant=refuse_constant)
        if any(half in body for half in HALVES):
            _ENCODER.encode(value).encode()
    return value


@contextmanager
def decoding() -> Iterator[None]:
    """Turns what Python says about a text that is not JSON into ``InvalidBody``."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise InvalidBody(f"the body is not UTF-8: {error.reason} at byte {error.start}") from None
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise InvalidBody(f"the body is not JSON: \\u{ord(half):04x} is half of a surrogate pair") from None
    except json.JSONDecodeError as error:
        # Some of these messages end with the word, some do not.
        problem = error.msg.removesuffix(" at")
        raise InvalidBody(f"the body is not JSON: {problem} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise InvalidBody("the body is nested too deeply") from None
    except ValueError:
        # The last one that is left: Python's own, against numbers that take minutes to read.
        most = sys.get_int_max_str_digits()
        raise InvalidBody(f"the body holds a number with too many digits; allowed are at most {most}") from None


def text_of(body: bytes) -> str:
    """The characters of a body.

    Raises:
        UnicodeDecodeError: it is not UTF-8.
    """
    return _decode_text(body)[0]


def show(value: object) -> str:
    """A value for an error message: as JSON, shortened."""
    if isinstance(value, str):
        value = value[: _SHOWN + 1]
    text = ""
    # Piece by piece, and no more of them than are shown: a value may be as large as a body.
    for piece in _SHOWING.iterencode(value):
        text += piece[: _SHOWN + 1]
        if len(text) > _SHOWN:
            return text[:_SHOWN] + "..."
    return text


def refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and the infinities, which Python would read.

    Raises:
        InvalidBody: always.
    """
    raise InvalidBody(f"the body is not JSON: {name} is not a JSON number")


def _without_non_finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_non_finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_non_finite(item) for item in value]
    return value
