"""Reading JSON, strictly: UTF-8, no NaN, no halves of surrogate pairs; what is wrong becomes ``InvalidBody``."""

from __future__ import annotations

import codecs
import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from rest_adapter.errors import InvalidBody

if TYPE_CHECKING:
    from collections.abc import Iterator

# Looked up at import, because the lookup imports a module: a request must not fail for want of a file descriptor.
_decode_text = codecs.getdecoder("utf-8-sig")
#: Writes the characters as they are, so that a lone half of a surrogate pair shows when they become UTF-8.
_UNESCAPED = json.JSONEncoder(ensure_ascii=False)
#: How an escape begins that spells half of a surrogate pair. Unescaped halves are not UTF-8.
HALVES = (b"\\ud", b"\\uD")


def decode(body: bytes) -> object:
    """The value of a JSON text. Of equal keys in one object the last counts.

    Raises:
        InvalidBody: the text is not JSON, not UTF-8, nested too deeply, or holds NaN, an infinity or half a surrogate
            pair.
    """
    with decoding():
        value: object = json.loads(_decode_text(body)[0], parse_constant=refuse_constant)
        if any(half in body for half in HALVES):
            _UNESCAPED.encode(value).encode()
    return value


@contextmanager
def decoding() -> Iterator[None]:
    """Turn what Python says about a text that is not JSON into ``InvalidBody``."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise InvalidBody(f"the body is not UTF-8: {error.reason} at byte {error.start}") from None
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise InvalidBody(f"the body is not JSON: \\u{ord(half):04x} is half of a surrogate pair") from None
    except json.JSONDecodeError as error:
        # Some of these messages end with "at", some do not.
        problem = error.msg.removesuffix(" at")
        raise InvalidBody(f"the body is not JSON: {problem} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise InvalidBody("the body is nested too deeply") from None
    except ValueError:
        # The only other ValueError of json: Python's limit on digits, because long numbers take minutes to read.
        most = sys.get_int_max_str_digits()
        raise InvalidBody(f"the body holds a number with too many digits; allowed are at most {most}") from None


def refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and the infinities, which Python would read.

    Raises:
        InvalidBody: always.
    """
    raise InvalidBody(f"the body is not JSON: {name} is not a JSON number")
