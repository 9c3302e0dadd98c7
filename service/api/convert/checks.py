"""Range checks that name the field, the value and what is allowed."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from service.errors import InvalidArgument
from slotline.protocol.excerpt import excerpt, quoted

if TYPE_CHECKING:
    from slotline.options import Range


#: Characters of a value that a message shows.
_SHOWN = 60
_ENCODER = json.JSONEncoder(ensure_ascii=False)


def shown(value: Any) -> str:
    """A JSON value in a message, shortened: a text in quotes, everything else as JSON."""
    if isinstance(value, str):
        return quoted(value, _SHOWN)
    text = ""
    # No more of it than is shown: a value may be large, and nest deeply.
    for piece in _ENCODER.iterencode(value):
        text += piece
        if len(text) > _SHOWN:
            break
    return excerpt(text, _SHOWN)


def read_json(text: str, field: str, kind: type, allowed: str) -> Any:
    """The JSON in a field.

    Args:
        text: of the field; empty for an empty value.
        field: its path.
        kind: the type of the value.
        allowed: that type in words.
    """
    if not text:
        return kind()
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidArgument(field, f"is not JSON ({error}); allowed is {allowed}") from error
    except RecursionError as error:
        raise InvalidArgument(field, f"nests too deeply; allowed is {allowed}") from error
    if not isinstance(value, kind):
        raise InvalidArgument(field, f"is {shown(value)}; allowed is {allowed}")
    return value


def within(field: str, value: float, allowed: Range) -> float:
    """The value, which must be a finite number within the range."""
    if not math.isfinite(value) or value not in allowed:
        is_whole = isinstance(value, int)
        bounds = _whole_bounds(allowed) if is_whole else f"is any finite number{_real_bounds(allowed)}"
        raise InvalidArgument(field, f"is {value if is_whole else f'{value:g}'}; allowed {bounds}")
    return value


def _whole_bounds(allowed: Range) -> str:
    if allowed.max is None:
        return f"is {allowed.min:g} or more"
    return f"are {allowed.min:g} to {allowed.max:g}" if allowed.min is not None else f"is {allowed.max:g} or less"


def _real_bounds(allowed: Range) -> str:
    ends = (("above", allowed.above), ("of at least", allowed.min), ("of at most", allowed.max))
    given = [f" {preposition} {end:g}" for preposition, end in ends if end is not None]
    return " and".join(given)


def at_most(field: str, value: int, most: int) -> int:
    """The value, which must not be greater than ``most``."""
    if value > most:
        raise InvalidArgument(field, f"is {value}; allowed are 0 to {most}")
    return value


def count_at_most(field: str, count: int, most: int) -> None:
    """The number of entries, which must not be greater than ``most``."""
    if count > most:
        raise InvalidArgument(field, f"has {count} entries; allowed are at most {most}")


def size_at_most(field: str, n_bytes: int, most: int) -> None:
    """The size of a text or message, which must not be greater than ``most``."""
    if n_bytes > most:
        raise InvalidArgument(field, f"has {n_bytes} bytes; allowed are at most {most}")
