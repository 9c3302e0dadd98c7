"""The priority of a generation, which a header tells: it belongs to the caller and not to the question."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rest_adapter.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADER = "Slotline-Priority"
#: The bounds of the core; without the header it is 0.
MAX_PRIORITY = 100


def priority_of(values: Sequence[str]) -> int:
    """The priority that the values of the header say: higher ones start first and take slots from lower ones.

    Raises:
        InvalidRequest: it is no integer, out of range, or there are several.
    """
    if not values:
        return 0
    if len(values) == 1 and re.fullmatch(r"[+-]?[0-9]{1,3}", values[0]) and abs(int(values[0])) <= MAX_PRIORITY:
        return int(values[0])
    found = f"is {values[0][:32]!r}" if len(values) == 1 else f"is there {len(values)} times"
    raise InvalidRequest(f"header {HEADER}", f"{found}; allowed is one integer from -{MAX_PRIORITY} to {MAX_PRIORITY}")
