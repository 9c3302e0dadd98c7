"""Averages of what is measured again and again."""

from __future__ import annotations

from dataclasses import dataclass

#: Weight of the newest value.
SMOOTHING = 0.1
#: What is more than so many times the average was held up by something else, and counts as no more.
MAX_OUTLIER = 3.0


@dataclass(slots=True)
class MovingAverage:
    """An average in which the first values count alike, and later ones more than earlier ones.

    Attributes:
        value: the average, 0 before anything is measured.
        n_observed: values so far.
    """

    value: float = 0.0
    n_observed: int = 0

    def observe(self, value: float) -> None:
        """Take one more value."""
        if self.n_observed:
            value = min(value, MAX_OUTLIER * self.value)
        self.n_observed += 1
        self.value += max(SMOOTHING, 1 / self.n_observed) * (value - self.value)
