"""The samplers written down straight from their formulas, in float64, with full sorts: slow and easy to check."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

from service.sampling.settings import SamplerName, SamplingSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

Pairs = list[tuple[int, float]]
"""(token, logit)"""


def by_logit(pairs: Pairs) -> Pairs:
    return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))


def softmax(pairs: Pairs) -> list[float]:
    best = max(logit for _, logit in pairs)
    weights = [math.exp(logit - best) for _, logit in pairs]
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def entropy(probabilities: Sequence[float]) -> float:
    return -math.fsum(p * math.log(p) for p in probabilities if p > 0)


def top_k(pairs: Pairs, k: int, min_keep: int) -> Pairs:
    return by_logit(pairs)[: max(k, min_keep)]


def top_p(pairs: Pairs, p: float, min_keep: int) -> Pairs:
    pairs = by_logit(pairs)
    total = 0.0
    for i, probability in enumerate(softmax(pairs)):
        total += probability
        if total >= p and i + 1 >= min_keep:
            return pairs[: i + 1]
    return pairs


def min_p(pairs: Pairs, p: float, min_keep: int) -> Pairs:
    pairs = by_logit(pairs)
    limit = pairs[0][1] + math.log(p)
    return [pair for i, pair in enumerate(pairs) if pair[1] >= limit or i < min_keep]


def tfs_z(pairs: Pairs, z: float, min_keep: int) -> Pairs:
    if len(pairs) <= 2:
        return pairs
    pairs = by_logit(pairs)
    p = softmax(pairs)
    first = [p[i] - p[i + 1] for i in range(len(p) - 1)]
    second = [abs(first[i] - first[i + 1]) for i in range(len(first) - 1)]
    total = math.fsum(second)
    shares = [s / total for s in second] if total > 1e-6 else [1 / len(second)] * len(second)
    accumulated = 0.0
    for i, share in enumerate(shares):
        accumulated += share
        if accumulated > z and i >= min_keep:
            return pairs[:i]
    return pairs


def typical_p(pairs: Pairs, p: float, min_keep: int) -> Pairs:
    pairs = by_logit(pairs)
    probabilities = softmax(pairs)
    expected = entropy(probabilities)
    scores = [abs(-math.log(q) - expected) if q > 0 else math.inf for q in probabilities]
    order = sorted(range(len(pairs)), key=lambda i: scores[i])
    total = 0.0
    for j, i in enumerate(order):
        total += probabilities[i]
        if total > p and j >= min_keep - 1:
            return [pairs[i] for i in order[: j + 1]]
    return pairs


def top_n_sigma(pairs: Pairs, n: float, min_keep: int) -> Pairs:
    pairs = by_logit(pairs)
    limit = pairs[0][1] - n * statistics.pstdev([logit for _, logit in pairs if math.isfinite(logit)])
    return [pair for i, pair in enumerate(pairs) if pair[1] >= limit or i < min_keep]


def temperature(pairs: Pairs, t: float) -> Pairs:
    return [(token, logit / t) for token, logit in pairs]


def dynamic_temperature(pairs: Pairs, centre: float, half_width: float, exponent: float) -> Pairs:
    if len(pairs) <= 1:
        return pairs
    low, high = max(0.0, centre - half_width), max(0.0, centre + half_width)
    share = max(0.0, entropy(softmax(pairs)) / math.log(len(pairs)))
    t = low + (high - low) * share**exponent
    return temperature(pairs, t) if t > 0 else by_logit(pairs)[:1]


def chain(pairs: Pairs, settings: SamplingSettings) -> Pairs:
    """The sampler list of a request with temperature above 0."""
    min_keep = max(1, settings.min_keep)
    for name in settings.chain:
        if name is SamplerName.TOP_K:
            pairs = top_k(pairs, settings.top_k if settings.top_k > 0 else len(pairs), min_keep)
        elif name is SamplerName.TFS_Z and settings.tfs_z < 1:
            pairs = tfs_z(pairs, settings.tfs_z, min_keep)
        elif name is SamplerName.TYPICAL_P and settings.typical_p < 1:
            pairs = typical_p(pairs, settings.typical_p, min_keep)
        elif name is SamplerName.TOP_P and settings.top_p < 1:
            pairs = top_p(pairs, settings.top_p, min_keep)
        elif name is SamplerName.MIN_P and settings.min_p > 0:
            pairs = min_p(pairs, settings.min_p, min_keep)
        elif name is SamplerName.TOP_N_SIGMA and settings.top_n_sigma > 0:
            pairs = top_n_sigma(pairs, settings.top_n_sigma, min_keep)
        elif name is SamplerName.TEMPERATURE and settings.dynatemp_range > 0:
            pairs = dynamic_temperature(
                pairs, settings.temperature, settings.dynatemp_range, settings.dynatemp_exponent
            )
        elif name is SamplerName.TEMPERATURE:
            pairs = temperature(pairs, settings.temperature)
    return by_logit(pairs)


def penalise(logits: Sequence[float], window: Sequence[int], settings: SamplingSettings, nl_token: int) -> list[float]:
    """Logits after penalties for the tokens of ``window``."""
    penalised = list(logits)
    for token in set(window):
        if token == nl_token and not settings.penalize_nl:
            continue
        logit = penalised[token]
        logit = logit / settings.repeat_penalty if logit > 0 else logit * settings.repeat_penalty
        count = list(window).count(token)
        penalised[token] = logit - count * settings.frequency_penalty - settings.presence_penalty
    return penalised


def zipf_length(pairs: Pairs, limit: float, n_vocab: int) -> int:
    """Candidates that Mirostat 1 keeps."""
    p = softmax(by_logit(pairs))[:100]
    t = [math.log((i + 2) / (i + 1)) for i in range(len(p) - 1)]
    b = [math.log(p[i] / p[i + 1]) for i in range(len(p) - 1)]
    s = sum(x * y for x, y in zip(t, b, strict=True)) / sum(x * x for x in t)
    e = s - 1
    try:
        k = ((e * 2**limit) / (1 - n_vocab**-e)) ** (1 / s)
    except OverflowError:
        return len(pairs)
    return max(1, min(int(k), len(pairs)))
