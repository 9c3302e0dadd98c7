"""``generation_settings`` and ``params`` in the shape of today: settings in force as llama.cpp's server shows them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rest_adapter.apis.common.list_options import SAMPLER_NAMES
from rest_adapter.apis.common.settings import PLAIN_OPTIONS
from slotline.options import BY_NAME
from slotline.options.chain import (
    DRY,
    DRY_OPTIONS,
    GONE_OPTIONS,
    GONE_SAMPLER,
    NAMES_NOW,
    PENALTIES,
    PENALTY_OPTIONS,
    USUAL_CHAIN,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rest_adapter.json.encoding import JsonObject
    from slotline.v1.generation_pb2 import GenerationSettings
    from slotline.v1.sampling_pb2 import SamplingParams

#: Shown where each request draws its own seed.
RANDOM_SEED = 2**32 - 1
_PLAIN = tuple((facts.name, facts.field) for facts in PLAIN_OPTIONS if facts.name not in GONE_OPTIONS)
_SAMPLERS = {number: NAMES_NOW.get(name, name) for name, number in SAMPLER_NAMES.items() if name != GONE_SAMPLER}


#: Of answers that are one text.
CONTENT_ONLY: Mapping[str, object] = {"chat_format": "Content-only"}
#: Of those that are no chats.
NO_CHAT: Mapping[str, object] = {
    **CONTENT_ONLY,
    "generation_prompt": "",
    "reasoning_format": "none",
    "reasoning_in_content": False,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a body asks for that the core does not report.

    Attributes:
        is_stream: the answer is a stream.
        timings_per_token: every event has the times so far.
        post_sampling_probs: probabilities are those behind the samplers.
        n_probs: candidates of each token, whichever probabilities are told; None for what the core reports.
        parts: what is told of how an answer is taken apart; nothing if that is not known.
    """

    is_stream: bool
    timings_per_token: bool = False
    post_sampling_probs: bool = False
    n_probs: int | None = None
    parts: Mapping[str, object] = field(default_factory=dict)


def params_now(settings: GenerationSettings, asked: Asked) -> JsonObject:
    """The settings that are numbers and switches, and the chain: what ``/props`` and ``/slots`` show.

    Args:
        settings: what the core reports.
        asked: what it does not know.
    """
    sampling = settings.sampling
    limit = settings.max_tokens if settings.HasField("max_tokens") else -1
    return {
        "seed": sampling.seed if sampling.HasField("seed") else RANDOM_SEED,
        **{name: getattr(sampling, field) for name, field in _PLAIN},
        "max_tokens": limit,
        "n_predict": limit,
        "n_keep": settings.n_keep,
        "n_discard": 0,
        "stream": asked.is_stream,
        "n_probs": settings.n_probs if asked.n_probs is None else asked.n_probs,
        "samplers": chain_now(sampling),
        "timings_per_token": asked.timings_per_token,
        "post_sampling_probs": asked.post_sampling_probs,
        "backend_sampling": False,
        "lora": [{"id": one.id, "scale": one.scale} for one in settings.lora.scales],
        **asked.parts,
    }


def settings_now(settings: GenerationSettings, asked: Asked) -> JsonObject:
    """All settings, texts included: what completions show. Arguments are those of ``params_now``."""
    return {
        **params_now(settings, asked),
        "dry_sequence_breakers": list(settings.sampling.dry_sequence_breakers.texts),
        "stop": list(settings.stop_texts),
        "logit_bias": [_bias(token, bias) for token, bias in sorted(settings.logit_bias.items())],
        "grammar": settings.grammar,
        "grammar_lazy": False,
        "grammar_triggers": [],
        "preserved_tokens": [],
    }


def chain_now(sampling: SamplingParams) -> list[str]:
    """The sampler chain. Penalties and DRY, which always come first here, are shown in a chosen chain if they act."""
    chosen = list(sampling.samplers.samplers)
    if SAMPLER_NAMES[GONE_SAMPLER] in chosen:
        # Only the usual chain of the core has it: nobody can ask for it today.
        return list(USUAL_CHAIN)
    steps = ((PENALTIES, PENALTY_OPTIONS), (DRY, DRY_OPTIONS))
    acting = [step for step, options in steps if any(_is_on(sampling, option) for option in options)]
    return [*acting, *(_SAMPLERS[kind] for kind in chosen if kind in _SAMPLERS)]


def _is_on(sampling: SamplingParams, name: str) -> bool:
    return not BY_NAME[name].is_off(getattr(sampling, name))


def _bias(token: int, bias: float) -> JsonObject:
    # JSON has no infinity; the API shows a ban as null.
    return {"bias": bias if math.isfinite(bias) else None, "token": token}
