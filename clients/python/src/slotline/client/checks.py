"""Checks of Python values before they go into a message. What is refused is named, with what is allowed."""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Mapping, Sequence
from typing import NoReturn, TypeVar

T = TypeVar("T")

INT32 = (-(2**31), 2**31 - 1)
UINT32 = (0, 2**32 - 1)
_FLOAT32_MAX = 3.4028234663852886e38


def number(name: str, value: object) -> float:
    """A number that a field of 32 bits holds."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        refuse_type(name, value, "a number")
    checked = float(value)
    # Others become infinite in a field of 32 bits.
    if math.isfinite(checked) and abs(checked) > _FLOAT32_MAX:
        refuse(name, value, f"a number from {-_FLOAT32_MAX:g} to {_FLOAT32_MAX:g}")
    return checked


def integer(name: str, value: object, bounds: tuple[int, int]) -> int:
    """A whole number within bounds, both included."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        refuse_type(name, value, "a whole number")
    checked, (low, high) = int(value), bounds
    if not low <= checked <= high:
        refuse(name, value, f"a whole number from {low} to {high}")
    return checked


def boolean(name: str, value: object) -> bool:
    """True or False, and nothing that only acts like them."""
    return value if isinstance(value, bool) else refuse_type(name, value, "True or False")


def text(name: str, value: object) -> str:
    """A text."""
    return value if isinstance(value, str) else refuse_type(name, value, "a text")


def texts(name: str, value: object) -> list[str]:
    """Several texts; a single one is not taken for the list of its letters."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        refuse_type(name, value, "a list of texts")
    return [text(f"{name}[{i}]", one) for i, one in enumerate(value)]


def token_ids(name: str, value: object) -> list[int]:
    """Several token ids."""
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        refuse_type(name, value, "a list of token ids")
    return [integer(f"{name}[{i}]", one, UINT32) for i, one in enumerate(value)]


def word(name: str, value: object, words: Mapping[str, T]) -> T:
    """What one of several words stands for."""
    known = text(name, value)
    if known not in words:
        refuse(name, known, f"one of {', '.join(words)}")
    return words[known]


def mapping(name: str, value: object, allowed: str) -> Mapping[object, object]:
    """A mapping; ``allowed`` says of what."""
    return value if isinstance(value, Mapping) else refuse_type(name, value, allowed)


def json_text(name: str, value: object) -> str:
    """A value as JSON."""
    try:
        return json.dumps(dict(value) if isinstance(value, Mapping) else value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {value!r:.80} has a value that JSON does not know: {error}") from error


def refuse_type(name: str, value: object, allowed: str) -> NoReturn:
    """Refuse a value of a wrong kind."""
    raise TypeError(f"{name}: {value!r:.80} is not {allowed}")


def refuse(name: str, value: object, allowed: str) -> NoReturn:
    """Refuse a value of the right kind."""
    raise ValueError(f"{name}: {value!r:.80} is not {allowed}")
