"""Functions to be marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Counter:
    """Counts."""

    def add(self, number: int) -> int:
        return number + 1

    def count(self, end: int) -> Iterator[int]:
        yield from range(end)

    async def wait(self) -> None:
        pass
