"""Statistics over few samples: medians and percentiles, never means, because one disturbed sample must not count."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def percentile(samples: Sequence[float], percent: float) -> float:
    """The value below which ``percent`` of the samples lie, interpolated linearly between neighbours.

    Raises:
        ValueError: no samples, or ``percent`` outside 0 to 100.
    """
    if not samples:
        raise ValueError("samples: empty; at least one is needed")
    if not 0 <= percent <= 100:
        raise ValueError(f"percent: {percent} is outside 0 to 100")
    ordered = sorted(samples)
    rank = (len(ordered) - 1) * percent / 100
    low, high = math.floor(rank), math.ceil(rank)
    return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)


def median(samples: Sequence[float]) -> float:
    """The middle sample, or the mean of the two middle ones."""
    return percentile(samples, 50)


def gaps_within(arrivals: Sequence[float], start: float, end: float) -> tuple[float, ...]:
    """Times between neighbouring arrivals, in order, of all pairs that reach into the span from ``start`` to ``end``.

    A gap that began before the span or lasts beyond it counts in full: that is how long a reader waited.
    """
    return tuple(later - earlier for earlier, later in pairwise(arrivals) if later > start and earlier < end)


def pair_ratios(numerators: Sequence[float], denominators: Sequence[float]) -> tuple[float, ...]:
    """Ratio of each pair of samples of the same round.

    The median of these is steadier than the ratio of two medians: whatever slowed a whole round down cancels.
    """
    return tuple(above / below for above, below in zip(numerators, denominators, strict=True))


def pair_differences(minuends: Sequence[float], subtrahends: Sequence[float]) -> tuple[float, ...]:
    """Difference of each pair of samples of the same round."""
    return tuple(left - right for left, right in zip(minuends, subtrahends, strict=True))
