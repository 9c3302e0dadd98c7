"""The most common sampler chains, for many rows at once: top-k first, then at most top-p, min-p and temperature.

What is left of a row is always the beginning of its head, so a length for each row says all. Every number comes out
bit for bit as in ``truncation``, ``temperature`` and ``Candidates.draw``, where the formulas are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from service.sampling.heads import MAX_HEAD
from service.sampling.settings import SamplerName
from service.sampling.temperature import divisor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.sampling.settings import SamplingSettings

Floats = npt.NDArray[np.float64]
Lengths = npt.NDArray[np.intp]

_TOP_P, _MIN_P, _TEMPERATURE = SamplerName.TOP_P, SamplerName.MIN_P, SamplerName.TEMPERATURE


@dataclass(frozen=True, slots=True)
class ShortChain:
    """A chain that begins with top-k.

    Attributes:
        shape: length of the head, and the steps that follow; rows of the same shape are sampled together.
        top_p, min_p_log, divisor: of the steps; a step that is off is not in ``shape``. ``min_p_log`` is ln of min-p.
        min_keep: candidates that top-p and min-p leave at least; 1 or more.
    """

    shape: tuple[int, tuple[SamplerName, ...]]
    top_p: float
    min_p_log: float
    divisor: float
    min_keep: int


def short_chain(settings: SamplingSettings, n_vocab: int) -> ShortChain | None:
    """The chain of a request, None if it is none of these."""
    if settings.temperature <= 0 or settings.mirostat in (1, 2) or settings.is_on("dynatemp_range"):
        return None
    names = [name for name in settings.chain if _acts(name, settings)]
    min_keep = max(1, settings.min_keep)
    n_head = min(max(settings.top_k, min_keep), n_vocab)
    steps = tuple(names[1:])
    if names[:1] != [SamplerName.TOP_K] or n_head > MAX_HEAD or not _is_short(steps):
        return None
    return ShortChain(
        (n_head, steps),
        settings.top_p,
        math.log(settings.min_p) if _MIN_P in steps else 0.0,
        divisor(settings.temperature),
        min_keep,
    )


def _is_short(steps: Sequence[SamplerName]) -> bool:
    """Whether the steps behind top-k are known here, once each, and top-p sees the whole head.

    Top-p adds up all candidates, and numpy would add up a part of a row in another order than that part alone.
    """
    if not {_TOP_P, _MIN_P, _TEMPERATURE}.issuperset(steps) or len(set(steps)) < len(steps):
        return False
    return _TOP_P not in steps or _MIN_P not in steps[: steps.index(_TOP_P)]


def _acts(name: SamplerName, settings: SamplingSettings) -> bool:
    return settings.temperature != 1 if name is _TEMPERATURE else settings.acts(name)


def run_chains(logits: Floats, chains: Sequence[ShortChain]) -> tuple[Floats, Lengths]:
    """Run chains of one shape.

    Args:
        logits: the heads, shape (rows, n).
        chains: one for each row.

    Returns:
        The logits, and for each row how many of them are left.
    """
    lengths = np.full(len(chains), logits.shape[1])
    for step in chains[0].shape[1]:
        best = logits[:, :1]
        if step is _TEMPERATURE:
            logits = (logits - best) / _column([chain.divisor for chain in chains])
            continue
        if step is _TOP_P:
            weights = np.exp(logits - best)
            needed = _column([chain.top_p for chain in chains]) * weights.sum(axis=1, keepdims=True)
            kept = (weights.cumsum(axis=1) < needed).sum(axis=1) + 1
        else:
            kept = (logits >= best + _column([chain.min_p_log for chain in chains])).sum(axis=1)
        least = [chain.min_keep for chain in chains]
        lengths = np.minimum(lengths, np.maximum(kept, least))
    return logits, lengths


def draw_places(logits: Floats, lengths: Lengths, numbers: Sequence[float]) -> list[int]:
    """Draw from the softmax of each row's first logits, with one random number for each row.

    Returns:
        For each row the place of what was drawn.
    """
    mass = np.exp(logits - logits[:, :1]).cumsum(axis=1)
    whole = mass[np.arange(len(mass)), lengths - 1]
    drawn: list[int] = (mass <= np.multiply(numbers, whole)[:, None]).sum(axis=1).tolist()
    return drawn


def _column(values: list[float]) -> Floats | float:
    """Values of rows as a column, or one that they all have."""
    return values[0] if values.count(values[0]) == len(values) else np.array(values)[:, None]
