"""``generation_settings``: the settings in force, as completions and slots show them.

Floats come from float32 fields, so they print as the double nearest to the float32 (0.8 as 0.800000011920929), which
is what the API has always shown.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from rest_adapter.apis.common.list_options import SAMPLER_NAMES
from slotline.options import BY_NAME, BY_PATH

if TYPE_CHECKING:
    from rest_adapter.json.encoding import JsonObject
    from slotline.options import OptionFacts
    from slotline.v1.generation_pb2 import GenerationSettings

#: Of ``SamplingParams``, with a default each; reports have them all.
PLAIN_OPTIONS = tuple(
    facts
    for path, facts in BY_PATH.items()
    if path.startswith("sampling.") and facts.is_scalar and facts.default is not None
)


def _switch(facts: OptionFacts) -> OptionFacts | None:
    """The option that must be on for this one to be shown; None if it always is."""
    if facts.part_of:
        return BY_NAME[facts.part_of]
    return facts if facts.reported_if_on else None


#: Name, field of ``SamplingParams``, and what must be on for it to be shown.
_PLAIN = tuple((facts.name, facts.field, _switch(facts)) for facts in PLAIN_OPTIONS)
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
        **_plain(sampling),
        "grammar": settings.grammar,
        "logit_bias": [_bias(token, bias) for token, bias in sorted(settings.logit_bias.items())],
        "model": model,
        "n_ctx": settings.n_ctx,
        "n_keep": settings.n_keep,
        "n_predict": settings.max_tokens if settings.HasField("max_tokens") else -1,
        "n_probs": settings.n_probs,
        "penalty_prompt_tokens": list(settings.penalty_prompt_token_ids),
        "samplers": [_NAME_OF_SAMPLER[kind] for kind in sampling.samplers.samplers if kind in _NAME_OF_SAMPLER],
        "seed": sampling.seed,
        "stop": list(settings.stop_texts),
        "stream": is_stream,
        "use_penalty_prompt_tokens": sampling.HasField("penalty_prompt"),
    }


def _plain(sampling: Any) -> JsonObject:
    """The options that are one number or switch; those that old clients do not know only while they are on."""
    shown: JsonObject = {}
    for name, field, switch in _PLAIN:
        # An older core does not know the option, and what is absent reads as 0.
        if switch is None or (sampling.HasField(switch.field) and not switch.is_off(getattr(sampling, switch.field))):
            shown[name] = getattr(sampling, field)
    if sampling.HasField("dry_sequence_breakers"):
        shown["dry_sequence_breakers"] = list(sampling.dry_sequence_breakers.texts)
    return shown


def _bias(token: int, bias: float) -> list[object]:
    # JSON has no infinity; the API shows a ban as null.
    return [token, bias if math.isfinite(bias) else None]
