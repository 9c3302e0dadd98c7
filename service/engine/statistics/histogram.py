"""Histograms with fixed buckets: cheap to write for the one thread that owns them, immutable for whoever reads them."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HistogramCounts:
    """What a histogram counted.

    Attributes:
        bounds: upper bounds of the buckets, ascending; a bucket includes its bound.
        counts: values in each bucket, not cumulative; one more than there are bounds, for the values beyond.
        sum: of all values.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float

    @property
    def count(self) -> int:
        """Values in all buckets."""
        return sum(self.counts)

    @classmethod
    def empty(cls, bounds: tuple[float, ...]) -> HistogramCounts:
        """Nothing counted yet."""
        return cls(bounds, (0,) * (len(bounds) + 1), 0.0)


class Histogram:
    """Counts values in buckets. For one thread.

    Args:
        bounds: upper bounds of the buckets, ascending.
    """

    __slots__ = ("_bounds", "_counts", "_read", "_sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._read: HistogramCounts | None = None

    def observe(self, value: float, times: int = 1) -> None:
        """Count a value, or several equal ones."""
        self._counts[bisect_left(self._bounds, value)] += times
        self._sum += value * times
        self._read = None

    def read(self) -> HistogramCounts:
        """The counts as they are now; the same object until something is counted."""
        # Read after every step, in which most histograms do not change.
        if self._read is None:
            self._read = HistogramCounts(self._bounds, tuple(self._counts), self._sum)
        return self._read
