"""The JSON dialect of the REST API: compact, keys sorted, UTF-8 unescaped, numbers that JSON lacks as null."""

from __future__ import annotations

import codecs
import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from rest_adapter.errors import InvalidBody

JsonObject = dict[str, Any]

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
# For error messages: what a client wrote as 1e999 is shown as Infinity, not as the null that answers have for it.
_SHOWING = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_SHOWN = 60
# Looked up now, for that imports a module: a request must not fail for want of a file descriptor.
_decode_text = codecs.getdecoder("utf-8-sig")
# How escapes that spell half of a surrogate pair begin; no UTF-8 text holds one.
HALVES = (b"\\ud", b"\\uD")


def encode(value: object) -> bytes:
    """JSON text as UTF-8. Infinities and NaN become null."""
    try:
        text = _ENCODER.encode(value)
    except ValueError:
        text = _ENCODER.encode(_without_non_finite(value))
    return text.encode()


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
