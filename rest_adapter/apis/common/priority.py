"""The priority of a generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.errors import InvalidRequest
from slotline.protocol.priority import read_priority

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADER = "Slotline-Priority"
#: Its name in a WSGI environment. Several headers of that name have been joined, which makes no integer.
WSGI_KEY = f"HTTP_{HEADER.upper().replace('-', '_')}"


def priority_of(values: Sequence[str]) -> int:
    """The priority that the values of the header say; 0 without any.

    Raises:
        InvalidRequest: it is no integer, out of range, or there are several.
    """
    try:
        return read_priority(values)
    except ValueError as problem:
        raise InvalidRequest(f"header {HEADER}", str(problem)) from None
