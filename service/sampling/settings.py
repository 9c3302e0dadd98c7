"""What a request may ask of the sampler, validated and with every default filled in."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from slotline.options import BY_PATH, sampler_names, switch_of, usual_samplers


class SamplerName(enum.Enum):
    """One step of the sampler chain; the values are the names of the REST API.

    Those that truncate the candidates by one number are also the names of their option.
    """

    TOP_K = "top_k"
    TFS_Z = "tfs_z"
    TYPICAL_P = "typical_p"
    TOP_P = "top_p"
    MIN_P = "min_p"
    TEMPERATURE = "temperature"
    TOP_N_SIGMA = "top_n_sigma"
    XTC = "xtc"
    ADAPTIVE_P = "adaptive_p"


#: Tokens behind each first one.
SequenceBreakers = Mapping[int, tuple[tuple[int, ...], ...]]


def _default(name: str, message: str = "sampling") -> Any:
    return BY_PATH[f"{message}.{name}"].default


#: What ends sequences, so that DRY sees no repetition across it.
DEFAULT_BREAKERS: tuple[str, ...] = _default("dry_sequence_breakers")
_ALL_SAMPLERS = tuple(SamplerName(name) for name in sampler_names())
#: The chain of a request that names no samplers; the others join it, at their places, if they are on.
DEFAULT_SAMPLERS = tuple(SamplerName(name) for name in usual_samplers())


#: By sampler the option that turns it on.
_SWITCHES = {name: switch_of(name.value).name for name in _ALL_SAMPLERS}


@dataclass(frozen=True, slots=True)
class SamplingSettings:
    """Sampling options of one request. Units, ranges and meaning: ``SamplingParams`` in ``sampling.proto``.

    ``logit_bias`` holds one entry per token id, in the order given, -inf for a ban. ``penalty_prompt`` is None if the
    prompt itself is the penalty history. ``seed`` is None for a random one. ``samplers`` is None for the usual chain.
    ``dry_breakers`` holds what ``dry_sequence_breakers`` may be in tokens: by the first one what follows it there.
    """

    temperature: float = _default("temperature")
    dynatemp_range: float = _default("dynatemp_range")
    dynatemp_exponent: float = _default("dynatemp_exponent")
    top_k: int = _default("top_k")
    top_p: float = _default("top_p")
    min_p: float = _default("min_p")
    tfs_z: float = _default("tfs_z")
    typical_p: float = _default("typical_p")
    top_n_sigma: float = _default("top_n_sigma")
    xtc_probability: float = _default("xtc_probability")
    xtc_threshold: float = _default("xtc_threshold")
    min_keep: int = _default("min_keep")
    repeat_penalty: float = _default("repeat_penalty")
    repeat_last_n: int = _default("repeat_last_n")
    frequency_penalty: float = _default("frequency_penalty")
    presence_penalty: float = _default("presence_penalty")
    penalize_nl: bool = _default("penalize_nl")
    penalty_prompt: tuple[int, ...] | None = None
    dry_multiplier: float = _default("dry_multiplier")
    dry_base: float = _default("dry_base")
    dry_allowed_length: int = _default("dry_allowed_length")
    dry_penalty_last_n: int = _default("dry_penalty_last_n")
    dry_sequence_breakers: tuple[str, ...] = DEFAULT_BREAKERS
    dry_breakers: SequenceBreakers = field(default_factory=dict)
    adaptive_target: float = _default("adaptive_target")
    adaptive_decay: float = _default("adaptive_decay")
    mirostat: int = _default("mirostat")
    mirostat_tau: float = _default("mirostat_tau")
    mirostat_eta: float = _default("mirostat_eta")
    seed: int | None = None
    ignore_eos: bool = _default("ignore_eos")
    logit_bias: tuple[tuple[int, float], ...] = ()
    samplers: tuple[SamplerName, ...] | None = None
    n_probs: int = _default("n_probs", "output")
    top_logprobs: int | None = None

    @property
    def chain(self) -> tuple[SamplerName, ...]:
        """The samplers in force, in their order."""
        if self.samplers is not None:
            return self.samplers
        return tuple(name for name in _ALL_SAMPLERS if name in DEFAULT_SAMPLERS or self.acts(name))

    def acts(self, name: SamplerName) -> bool:
        """Whether the option that turns a sampler on has a value that does something."""
        return self.is_on(_SWITCHES[name])

    def is_on(self, name: str) -> bool:
        """Whether a numeric option has a value that does something."""
        return not BY_PATH[f"sampling.{name}"].is_off(getattr(self, name))
