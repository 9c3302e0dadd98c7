"""A bound on the generations and embeddings of one adapter, so that connections are left for everything else."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rest_adapter.errors import Overloaded

if TYPE_CHECKING:
    from collections.abc import Iterator


class Limiter:
    """Counts the generations and embeddings that run or wait. For one thread.

    Args:
        limit: how many there may be.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._in_flight = 0

    @property
    def in_flight(self) -> int:
        """How many run or wait."""
        return self._in_flight

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Count as one more inside the context.

        Raises:
            Overloaded: there are as many as allowed.
        """
        if self._in_flight >= self._limit:
            raise Overloaded(self._limit)
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1
