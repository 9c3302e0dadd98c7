"""What the tests of sampling share."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from service.sampling.sampler import Sampler
from service.sampling.settings import SamplingSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

# Long enough to be folded into columns, and not a multiple of their number.
LONG = 20_011

NL_TOKEN = 3
EOG = frozenset({1, 2})
OFF = SamplingSettings(temperature=1.0, top_k=0, top_p=1.0, min_p=0.0, repeat_penalty=1.0, seed=1)
GREEDY = replace(OFF, temperature=0.0)


def make(
    options: SamplingSettings,
    *,
    n_vocab: int = 8,
    prompt: Sequence[int] = (),
    n_ctx: int = 64,
    eog: frozenset[int] = EOG,
) -> Sampler:
    return Sampler(options, n_vocab=n_vocab, nl_token=NL_TOKEN, eog_tokens=eog, n_ctx=n_ctx, prompt=prompt)


def logits(*values: float) -> npt.NDArray[np.float32]:
    return np.array(values, np.float32)


def row_of(seed: int, size: int, *, step: float = 0.0) -> npt.NDArray[np.float32]:
    """Random logits; with a step they are rounded to its multiples, so that many are equal."""
    row = np.random.default_rng(seed).normal(scale=4.0, size=size)
    return (np.round(row / step) * step if step else row).astype(np.float32)
