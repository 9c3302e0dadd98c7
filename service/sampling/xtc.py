"""Leaves out what is likely, now and then: "exclude top choices" (XTC, p-e-w, text-generation-webui #6335, 2024)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.random import default_rng

if TYPE_CHECKING:
    from service.sampling.candidates import Candidates

#: Keeps the random numbers of this step apart from those that draw tokens by the same seed.
_STREAM = 1


class Xtc:
    """By a chance of ``probability`` leaves out all candidates with p_i >= ``threshold`` but the least likely of them.

    Nothing is left out if fewer than ``min_keep`` candidates would remain. Each call takes one random number from a
    generator of its own, if there are candidates to leave out or not.

    Args:
        probability: above 0.
        threshold: least probability of what may be left out.
        min_keep: candidates that are left at least; 1 or more.
        seed: of the request.
    """

    __slots__ = ("_min_keep", "_probability", "_random", "_threshold")

    def __init__(self, probability: float, threshold: float, min_keep: int, seed: int) -> None:
        self._probability = probability
        self._threshold = threshold
        self._min_keep = min_keep
        self._random = default_rng((seed, _STREAM))

    def __call__(self, candidates: Candidates) -> Candidates:
        """What is left of the candidates."""
        if self._random.random() > self._probability:
            return candidates
        # Two of them only below one half, and one is always left.
        likely = np.flatnonzero(candidates.probabilities() >= self._threshold)
        n_out = len(likely) - 1
        if n_out < 1 or len(candidates) - n_out < self._min_keep:
            return candidates
        logits = candidates.logits[likely]
        # Of equally likely ones the last in order of the candidates stays, as if they were sorted.
        last = likely[len(logits) - 1 - int(np.argmin(logits[::-1]))]
        is_kept = np.ones(len(candidates), bool)
        is_kept[likely] = False
        is_kept[last] = True
        return candidates.take(np.flatnonzero(is_kept), is_sorted=candidates.is_sorted)
