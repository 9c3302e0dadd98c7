"""The JSON dialect of the REST API: compact, keys sorted, UTF-8 unescaped, numbers that JSON lacks as null."""

from __future__ import annotations

import codecs
import json
import math
import sys
from typing import Any, NoReturn

from rest_adapter.errors import InvalidBody

JsonObject = dict[str, Any]

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
# For error messages: what a client wrote as 1e999 is shown as Infinity, not as the null that answers have for it.
_SHOWING = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_SHOWN = 60
# Looked up now, for that imports a module: a request must not fail for want of a file descriptor.
_decode_text = codecs.getdecoder("utf-8-sig")


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
    try:
        value: object = json.loads(_decode_text(body)[0], parse_constant=_refuse_constant)
        if b"\\ud" in body or b"\\uD" in body:
            # Escapes can spell halves of surrogate pairs, which no UTF-8 text holds.
            _ENCODER.encode(value).encode()
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
    return value


def show(value: object) -> str:
    """A value for an error message: as JSON, shortened."""
    text = _SHOWING.encode(value[:_SHOWN] if isinstance(value, str) else value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidBody(f"the body is not JSON: {name} is not a JSON number")


def _without_non_finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_non_finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_non_finite(item) for item in value]
    return value
