"""Samplers that drop unlikely candidates. One function each, pure; ``min_keep`` is at least 1 everywhere.

In the formulas the candidates are sorted, l_i are their logits, p_i = exp(l_i) / sum_j exp(l_j), and i counts from 0.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from service.sampling.candidates import Candidates, descending_heads, entropy
from service.sampling.settings import SamplerName

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Below this sum the tail-free curve counts as straight.
_STRAIGHT = 1e-6


def top_k(candidates: Candidates, k: int, min_keep: int) -> Candidates:
    """Keep the ``max(k, min_keep)`` highest logits (Fan et al. 2018, arXiv:1805.04833). ``k`` is at least 1."""
    return candidates.first(max(k, min_keep))


def top_p(candidates: Candidates, p: float, min_keep: int) -> Candidates:
    """Keep the shortest head with p_0 + ... + p_i >= p: nucleus sampling (Holtzman et al. 2019, arXiv:1904.09751)."""
    weights = candidates.weights()
    needed = p * float(weights.sum())
    for head in candidates.heads():
        mass = (weights if head is candidates else head.weights()).cumsum()
        length = max(int(mass.searchsorted(needed)) + 1, min_keep)
        if length <= len(head):
            return head.first(length)
    return candidates


def min_p(candidates: Candidates, p: float, min_keep: int) -> Candidates:
    """Keep candidates with p_i >= p * p_0, that is l_i >= l_0 + ln p (Nguyen et al. 2024, arXiv:2407.01082).

    ``p`` is above 0.
    """
    is_kept = candidates.logits >= candidates.best_logit + math.log(p)
    n_kept = int(np.count_nonzero(is_kept))
    if candidates.is_sorted or n_kept < min_keep:
        return candidates.first(max(n_kept, min_keep))
    return candidates.take(is_kept.nonzero()[0], is_sorted=False)


def tfs_z(candidates: Candidates, z: float, min_keep: int) -> Candidates:
    """Cut the tail where the curve of probabilities is flat (tail-free sampling, trentbrick.github.io, 2019).

    s_i = |(p_i - p_{i+1}) - (p_{i+1} - p_{i+2})|, divided by their sum, or all equal if the sum is at most 1e-6; keep
    the first i candidates for the first i >= min_keep with s_0 + ... + s_i > z, all if there is none.
    """
    bends = len(candidates) - 2
    if bends < 1:
        return candidates
    # Only values are sorted here: sorting the indices of a whole vocabulary would take four times as long.
    probabilities = np.sort(candidates.probabilities().astype(np.float64))[::-1]
    curvature = np.abs(np.diff(probabilities, n=2))
    total = float(curvature.sum())
    shares = curvature / total if total > _STRAIGHT else np.full(bends, 1 / bends)
    length = max(int(shares.cumsum().searchsorted(z, side="right")), min_keep)
    return candidates.first(length) if length < bends else candidates


def typical_p(candidates: Candidates, p: float, min_keep: int) -> Candidates:
    """Keep candidates whose surprise is closest to the expected one (Meister et al. 2022, arXiv:2202.00666).

    With H = -sum p_j ln p_j, order by |-ln p_i - H| ascending and keep the shortest head whose probabilities sum to
    more than ``p``. The result is in that order, not sorted by logit.
    """
    probabilities = candidates.probabilities()
    distance = np.abs(-np.log(probabilities) - entropy(probabilities))
    for order in descending_heads(-distance):
        mass = probabilities[order].cumsum(dtype=np.float64)
        length = max(int(mass.searchsorted(p, side="right")) + 1, min_keep)
        if length <= len(order):
            return candidates.take(order[:length], is_sorted=False)
    return candidates


def top_n_sigma(candidates: Candidates, n: float, min_keep: int) -> Candidates:
    """Keep candidates with l_i >= l_0 - n * sigma (Tang et al. 2024, arXiv:2411.07641).

    sigma is the standard deviation of the population of finite logits; ``n`` is above 0.
    """
    logits = candidates.logits
    sigma = logits[np.isfinite(logits)].std(dtype=np.float64)
    # A float64 scalar, so that float32 logits are compared without rounding the limit.
    is_kept = logits >= np.float64(candidates.best_logit) - n * sigma
    n_kept = int(np.count_nonzero(is_kept))
    if candidates.is_sorted or n_kept < min_keep:
        return candidates.first(max(n_kept, min_keep))
    return candidates.take(is_kept.nonzero()[0], is_sorted=False)


#: By the sampler's name, which is also that of the option with the second argument.
TRUNCATIONS: Mapping[SamplerName, Callable[[Candidates, Any, int], Candidates]] = {
    SamplerName.TOP_K: top_k,
    SamplerName.TFS_Z: tfs_z,
    SamplerName.TYPICAL_P: typical_p,
    SamplerName.TOP_P: top_p,
    SamplerName.MIN_P: min_p,
    SamplerName.TOP_N_SIGMA: top_n_sigma,
}
