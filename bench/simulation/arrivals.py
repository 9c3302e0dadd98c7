"""When conversations begin."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator


class Arrivals(Protocol):
    """Moments at which new conversations begin, whatever became of earlier ones."""

    def times(self, rng: random.Random) -> Iterator[float]:
        """Seconds from the start, ascending; mostly without end."""


@dataclass(frozen=True, slots=True)
class Poisson:
    """Independent clients: ``per_s`` conversations per second in the mean."""

    per_s: float

    def times(self, rng: random.Random) -> Iterator[float]:
        """Exponential distances."""
        now_s = 0.0
        while True:
            now_s += rng.expovariate(self.per_s)
            yield now_s


@dataclass(frozen=True, slots=True)
class Bursts:
    """Groups of ``size`` conversations at the same moment, ``per_s`` conversations per second in the mean."""

    per_s: float
    size: int

    def times(self, rng: random.Random) -> Iterator[float]:
        """Exponential distances between groups."""
        for now_s in Poisson(self.per_s / self.size).times(rng):
            yield from [now_s] * self.size


@dataclass(frozen=True, slots=True)
class Diurnal:
    """A Poisson process whose rate swings around ``per_s`` by the part ``swing`` of it, once in ``period_s``."""

    per_s: float
    period_s: float
    swing: float = 0.9

    def times(self, rng: random.Random) -> Iterator[float]:
        """Those of the highest rate, thinned out."""
        highest = 1 + self.swing
        for now_s in Poisson(self.per_s * highest).times(rng):
            rate = 1 + self.swing * math.sin(2 * math.pi * now_s / self.period_s)
            if rng.random() * highest < rate:
                yield now_s


@dataclass(frozen=True, slots=True)
class ClosedLoop:
    """``n_users`` users who begin a new conversation when the one before is over.

    The only arrivals that depend on the server, so they have no times.
    """

    n_users: int
