"""The priority of a call, which its metadata tell: it belongs to the caller and not to the question."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from service.errors import InvalidArgument
from slotline.protocol.metadata import PRIORITY

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Priorities are from ``-MAX_PRIORITY`` to ``MAX_PRIORITY``; without one it is 0.
MAX_PRIORITY = 100


def priority_of(metadata: Iterable[tuple[str, str | bytes]] | None) -> int:
    """The priority in a call's metadata: higher ones start first and take slots from lower ones.

    Raises:
        InvalidArgument: it is no integer, out of range, or there are several.
    """
    values = [value for name, value in metadata or () if name == PRIORITY]
    if not values:
        return 0
    text = values[0] if isinstance(values[0], str) else values[0].decode(errors="replace")
    if len(values) == 1 and re.fullmatch(r"[+-]?[0-9]{1,3}", text) and abs(int(text)) <= MAX_PRIORITY:
        return int(text)
    found = f"is {text[:32]!r}" if len(values) == 1 else f"is there {len(values)} times"
    raise InvalidArgument(
        f"metadata {PRIORITY}", f"{found}; allowed is one integer from -{MAX_PRIORITY} to {MAX_PRIORITY}"
    )
