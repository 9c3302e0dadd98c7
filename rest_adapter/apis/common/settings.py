"""``generation_settings``: the settings in force, as completions and slots show them.

Floats come from float32 fields, so they print as the double nearest to the float32 (0.8 as 0.800000011920929), which
is what the API has always shown.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rest_adapter.apis.common.list_options import SAMPLER_NAMES

if TYPE_CHECKING:
    from rest_adapter.json.encoding import JsonObject
    from slotline.v1.generation_pb2 import GenerationSettings

_NAME_OF_SAMPLER = {number: name for name, number in SAMPLER_NAMES.items()}


def generation_settings(settings: GenerationSettings, *, model: str, is_stream: bool) -> JsonObject:
    """The settings as a JSON object.

    Args:
        settings: what the core reports.
        model: name of the model.
        is_stream: whether the client asked for a stream, which the core does not know.
    """
    sampling = settings.sampling
    return {
        "dynatemp_exponent": sampling.dynatemp_exponent,
        "dynatemp_range": sampling.dynatemp_range,
        "frequency_penalty": sampling.frequency_penalty,
        "grammar": settings.grammar,
        "ignore_eos": sampling.ignore_eos,
        "logit_bias": [_bias(token, bias) for token, bias in sorted(settings.logit_bias.items())],
        "min_keep": sampling.min_keep,
        "min_p": sampling.min_p,
        "mirostat": sampling.mirostat,
        "mirostat_eta": sampling.mirostat_eta,
        "mirostat_tau": sampling.mirostat_tau,
        "model": model,
        "n_ctx": settings.n_ctx,
        "n_keep": settings.n_keep,
        "n_predict": settings.max_tokens if settings.HasField("max_tokens") else -1,
        "n_probs": settings.n_probs,
        "penalize_nl": sampling.penalize_nl,
        "penalty_prompt_tokens": list(settings.penalty_prompt_token_ids),
        "presence_penalty": sampling.presence_penalty,
        "repeat_last_n": sampling.repeat_last_n,
        "repeat_penalty": sampling.repeat_penalty,
        "samplers": [_NAME_OF_SAMPLER[kind] for kind in sampling.samplers.samplers if kind in _NAME_OF_SAMPLER],
        "seed": sampling.seed,
        "stop": list(settings.stop_texts),
        "stream": is_stream,
        "temperature": sampling.temperature,
        "tfs_z": sampling.tfs_z,
        "top_k": sampling.top_k,
        "top_p": sampling.top_p,
        "typical_p": sampling.typical_p,
        "use_penalty_prompt_tokens": sampling.HasField("penalty_prompt"),
    }


def _bias(token: int, bias: float) -> list[object]:
    # JSON has no infinity; the API shows a ban as null.
    return [token, bias if math.isfinite(bias) else None]
