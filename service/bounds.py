"""Bounds of numbers in a configuration: declared with the fields, and read by what checks or shows them."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, TypeVar

from service.errors import InvalidArgument

#: The largest number of 32 bits with a sign.
INT32_MAX = 2**31 - 1

T = TypeVar("T")
_BOUNDS = "bounds"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a number may be: finite, from ``least`` to ``most``, and more than ``above``, where these are given."""

    least: float | None = None
    most: float | None = None
    above: float | None = None

    def holds(self, value: float) -> bool:
        """Whether a value is within the bounds."""
        is_low = (self.least is not None and value < self.least) or (self.above is not None and value <= self.above)
        return math.isfinite(value) and not is_low and (self.most is None or value <= self.most)

    def __str__(self) -> str:
        """What is allowed, for a message."""
        if self.above is not None:
            return f"a number above {self.above:g}"
        if self.most is not None:
            return f"{self.least} to {self.most}"
        return "any finite number" if self.least is None else f"{self.least:g} or a number above it"


def bounded(default: T, least: float | None = None, most: float | None = None, *, above: float | None = None) -> T:
    """A field with bounds on its value; None is always allowed where the type has it."""
    return field(default=default, metadata={_BOUNDS: Bounds(least, most, above)})


def bounds_of(kind: type[Any]) -> dict[str, Bounds]:
    """The bounds of the fields that have some, by name."""
    return {one.name: one.metadata[_BOUNDS] for one in dataclasses.fields(kind) if _BOUNDS in one.metadata}


def check_bounds(config: object) -> None:
    """Check the fields that have bounds.

    Raises:
        InvalidArgument: a value is out of them.
    """
    for name, bounds in bounds_of(type(config)).items():
        value = getattr(config, name)
        if value is not None and not bounds.holds(value):
            raise InvalidArgument(name, f"is {value!r}; allowed: {bounds}")
