"""The priority of a call: it belongs to the caller and not to the question, so metadata or a header tell it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Priorities are from ``-MAX_PRIORITY`` to ``MAX_PRIORITY``; without one it is 0.
MAX_PRIORITY = 100
#: Characters of a wrong value that are repeated.
_SHOWN = 32


def read_priority(values: Sequence[str]) -> int:
    """The priority that a header or metadata say: higher ones start first and take slots from lower ones.

    Raises:
        ValueError: it is no integer, out of range, or there are several; the text is to be read after its name.
    """
    if not values:
        return 0
    text = values[0]
    if len(values) == 1 and re.fullmatch(r"[+-]?[0-9]{1,3}", text) and abs(int(text)) <= MAX_PRIORITY:
        return int(text)
    found = f"is {text[:_SHOWN]!r}" if len(values) == 1 else f"is there {len(values)} times"
    raise ValueError(f"{found}; allowed is one integer from -{MAX_PRIORITY} to {MAX_PRIORITY}")
