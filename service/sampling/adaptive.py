"""Adaptive-p chooses tokens near a target probability, and aims higher after unlikely ones (llama.cpp #17927)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from service.sampling.candidates import Candidates

#: Logit of a candidate at the target, ...
_PEAK = 5.0
#: ... how fast logits fall with the distance from it, ...
_SHARPNESS = 10.0
#: ... and the distance that counts as one.
_WIDTH = 0.3


class AdaptiveP:
    """The last step of a chain, with a memory of what was chosen.

    Args:
        target: probability to aim at, 0 to 1.
        decay: weight of the past, 0 to 0.99.
    """

    __slots__ = ("_decay", "_sum", "_target", "_weight")

    def __init__(self, target: float, decay: float) -> None:
        self._target = target
        self._decay = decay
        # As if all tokens so far had been at the target.
        self._sum = target / (1 - decay)
        self._weight = 1 / (1 - decay)

    @property
    def aim(self) -> float:
        """The probability that the next token should have: 2 T - S / W, from 0 to 1."""
        return min(1.0, max(0.0, 2 * self._target - self._sum / self._weight))

    def transform(self, candidates: Candidates) -> Candidates:
        """The candidates, each with the logit 5 - 10 x^2 / (1 + x), x = |p_i - aim| / 0.3; banned ones stay banned."""
        distance = np.abs(candidates.probabilities().astype(np.float64) - self.aim) / _WIDTH
        logits = _PEAK - _SHARPNESS * distance * distance / (1 + distance)
        logits[np.isneginf(candidates.logits)] = -np.inf
        return candidates.with_other_logits(logits)

    def observe(self, probability: float) -> None:
        """Remember the probability that a chosen token had before ``transform``: S = p + d S, W = 1 + d W."""
        self._sum = probability + self._decay * self._sum
        self._weight = 1 + self._decay * self._weight
