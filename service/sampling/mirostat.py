"""Mirostat 1 and 2: keep the surprise of the text near a target (Basu et al. 2020, arXiv:2007.14966)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from service.sampling.candidates import Candidates

#: Candidates that version 1 estimates the exponent of Zipf's law from (m in the paper).
_ZIPF_CANDIDATES = 100


class Mirostat:
    """Truncation with feedback. All surprises are in bits.

    Args:
        version: 1 or 2.
        target: surprise that the text should have (tau).
        learning_rate: how fast the limit follows (eta).
        n_vocab: tokens in the vocabulary.

    Attributes:
        limit: largest surprise allowed (mu); starts at twice the target.
    """

    __slots__ = ("_learning_rate", "_n_vocab", "_target", "_version", "limit")

    def __init__(self, version: int, *, target: float, learning_rate: float, n_vocab: int) -> None:
        self._version = version
        self._target = target
        self._learning_rate = learning_rate
        self._n_vocab = n_vocab
        self.limit = 2 * target

    def truncate(self, candidates: Candidates) -> Candidates:
        """Drop what would surprise too much; at least one candidate stays."""
        if self._version == 1:
            return candidates.first(self._length_by_zipf(candidates))
        surprise = -np.log2(candidates.probabilities())
        kept = np.flatnonzero(surprise <= self.limit)
        return candidates.take(kept, is_sorted=candidates.is_sorted) if len(kept) else candidates.first(1)

    def observe(self, probability: float) -> None:
        """Move the limit after a draw: mu -= eta * (-log2 p - tau), p after truncation."""
        self.limit -= self._learning_rate * (-math.log2(probability) - self._target)

    def _length_by_zipf(self, candidates: Candidates) -> int:
        """Candidates to keep if probabilities follow Zipf's law with the exponent that the best ones show.

        t_i = ln((i+2) / (i+1)), b_i = ln(p_i / p_{i+1}), s = sum(t_i b_i) / sum(t_i^2), e = s - 1;
        k = (e 2^mu / (1 - V^-e))^(1/s), at least 1.
        """
        # Logits differ by what the logarithms of their probabilities differ by; banned candidates have no place here.
        head = candidates.first(_ZIPF_CANDIDATES).logits
        head = head[np.isfinite(head)].astype(np.float64)
        if len(head) < 2:
            return 1
        ranks = np.arange(1, len(head), dtype=np.float64)
        t = np.log((ranks + 1) / ranks)
        s = (t * (head[:-1] - head[1:])).sum() / (t * t).sum()
        e = s - 1
        # As e goes to 0, e / (1 - V^-e) goes to 1 / ln V.
        ratio = e / -np.expm1(-e * np.log(self._n_vocab)) if e else 1 / np.log(self._n_vocab)
        k = (ratio * np.exp2(self.limit)) ** (1 / s)
        return int(np.clip(np.nan_to_num(k, nan=1.0), 1, len(candidates)))
