"""Temperature, fixed or scaled by entropy: sharpens or flattens the distribution, keeps every candidate."""

from __future__ import annotations

import math

import numpy as np

from service.sampling.candidates import Candidates, entropy

#: Stands for an infinite temperature, so that a banned candidate (-inf / inf) stays banned.
_HOTTEST = float(np.finfo(np.float32).max)


def temperature(candidates: Candidates, t: float) -> Candidates:
    """l_i / t. ``t`` is above 0.

    The best logit becomes 0 first, which leaves the probabilities alone and makes overflow harmless.
    """
    return candidates.with_logits((candidates.logits - candidates.best_logit) / divisor(t))


def divisor(t: float) -> float:
    """What logits are divided by for a temperature ``t`` above 0."""
    return min(t, _HOTTEST)


def dynamic_temperature(candidates: Candidates, centre: float, half_width: float, exponent: float) -> Candidates:
    """Temperature that grows with the entropy of the candidates (dynamic temperature, koboldcpp and llama.cpp, 2023).

    With n candidates, H = -sum p_i ln p_i and a range from t_min = max(0, centre - half_width) to t_max =
    max(0, centre + half_width): t = t_min + (t_max - t_min) * (H / ln n)^exponent. At t = 0 only the best candidate
    is left.
    """
    if len(candidates) < 2:
        return candidates
    coldest = max(0.0, centre - half_width)
    hottest = max(0.0, centre + half_width)
    share = entropy(candidates.probabilities()) / math.log(len(candidates))
    # float64 and not float: 0 to a negative power is infinite here, not an exception.
    t = float(coldest + (hottest - coldest) * np.float64(max(0.0, share)) ** exponent)
    if not t > 0:
        return candidates.first(1)
    return temperature(candidates, t)
