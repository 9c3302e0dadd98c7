"""Range checks that name the field, the value and what is allowed."""

from __future__ import annotations

import math

from service.errors import InvalidArgument


def finite(field: str, value: float) -> float:
    """The value, which must be a finite number."""
    if not math.isfinite(value):
        raise InvalidArgument(field, f"is {value}; allowed is any finite number")
    return value


def above(field: str, value: float, bound: float) -> float:
    """The value, which must be finite and greater than the bound."""
    if not (math.isfinite(value) and value > bound):
        raise InvalidArgument(field, f"is {value:g}; allowed is any finite number above {bound:g}")
    return value


def at_least(field: str, value: int, least: int) -> int:
    """The value, which must not be smaller than ``least``."""
    if value < least:
        raise InvalidArgument(field, f"is {value}; allowed is {least} or more")
    return value


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
