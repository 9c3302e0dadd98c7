"""Counts of the adapter's responses, for GET /metrics."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Stands for unknown methods and paths: clients choose them freely, and a metric must have few label values.
OTHER = "other"
_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})


class ResponseCounts:
    """Counts responses by method, route and status. For one thread."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, int]] = Counter()

    def add(self, method: str, route: str | None, status: int) -> None:
        """Count a response that begins.

        Args:
            method: HTTP method of the request.
            route: path of the route that answered, None if there was none.
            status: HTTP status.
        """
        self._counts[method if method in _METHODS else OTHER, route or OTHER, status] += 1

    def by_labels(self) -> Mapping[tuple[str, ...], int]:
        """The counts so far, by method, route and status."""
        return {(method, route, str(status)): count for (method, route, status), count in self._counts.items()}
