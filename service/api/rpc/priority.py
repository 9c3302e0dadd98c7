"""The priority of a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.errors import InvalidArgument
from slotline.protocol.metadata import PRIORITY
from slotline.protocol.priority import read_priority

if TYPE_CHECKING:
    from collections.abc import Iterable


def priority_of(metadata: Iterable[tuple[str, str | bytes]] | None) -> int:
    """The priority in a call's metadata; 0 if it has none.

    Raises:
        InvalidArgument: it is no integer, out of range, or there are several.
    """
    values = [value for name, value in metadata or () if name == PRIORITY]
    try:
        return read_priority([value if isinstance(value, str) else value.decode(errors="replace") for value in values])
    except ValueError as problem:
        raise InvalidArgument(f"metadata {PRIORITY}", str(problem)) from None
