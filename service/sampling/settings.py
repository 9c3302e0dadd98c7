"""What a request may ask of the sampler, validated and with every default filled in."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class SamplerName(enum.Enum):
    """One step of the sampler chain; the values are the names of the REST API."""

    TOP_K = "top_k"
    TFS_Z = "tfs_z"
    TYPICAL_P = "typical_p"
    TOP_P = "top_p"
    MIN_P = "min_p"
    TEMPERATURE = "temperature"


DEFAULT_SAMPLERS = tuple(SamplerName)


@dataclass(frozen=True, slots=True)
class SamplingSettings:
    """Sampling options of one request. Units, ranges and meaning: ``SamplingParams`` in ``sampling.proto``.

    ``logit_bias`` holds one entry per token id, in the order given, -inf for a ban. ``penalty_prompt`` is None if the
    prompt itself is the penalty history. ``seed`` is None for a random one.
    """

    temperature: float = 0.8
    dynatemp_range: float = 0.0
    dynatemp_exponent: float = 1.0
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    tfs_z: float = 1.0
    typical_p: float = 1.0
    min_keep: int = 0
    repeat_penalty: float = 1.1
    repeat_last_n: int = 64
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    penalize_nl: bool = True
    penalty_prompt: tuple[int, ...] | None = None
    mirostat: int = 0
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1
    seed: int | None = None
    ignore_eos: bool = False
    logit_bias: tuple[tuple[int, float], ...] = ()
    samplers: tuple[SamplerName, ...] = DEFAULT_SAMPLERS
    n_probs: int = 0
    top_logprobs: int | None = None
