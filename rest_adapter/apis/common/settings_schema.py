"""``generation_settings`` in OpenAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.list_options import SAMPLER_NAMES
from rest_adapter.apis.common.settings import PLAIN_OPTIONS
from rest_adapter.openapi.schema_types import (
    BOOLEAN,
    COUNT,
    NULL,
    NUMBER,
    STRING,
    Schema,
    array,
    either,
    integer,
    record,
)

if TYPE_CHECKING:
    from slotline.options import OptionFacts

COUNT_OR_NONE = integer((-1, 2**63 - 1))


def settings_properties() -> dict[str, Schema]:
    """The properties of ``generation_settings``, which slots have, too."""
    # A token id and its bias; a ban shows as null.
    bias = array(either(NUMBER, NULL), minItems=2, maxItems=2)
    return {
        **{facts.name: shown_option(facts) for facts in PLAIN_OPTIONS},
        "dry_sequence_breakers": array(STRING),
        "grammar": STRING,
        "logit_bias": array(bias),
        "model": STRING,
        "n_ctx": COUNT,
        "n_keep": COUNT,
        "n_predict": COUNT_OR_NONE,
        "n_probs": COUNT,
        "penalty_prompt_tokens": array(COUNT),
        "samplers": array(STRING | {"enum": list(SAMPLER_NAMES)}),
        "seed": COUNT_OR_NONE,
        "stop": array(STRING),
        "stream": BOOLEAN,
        "use_penalty_prompt_tokens": BOOLEAN,
    }


def shown_option(facts: OptionFacts) -> Schema:
    """An option that is one number or switch."""
    if facts.kind == "integer":
        if facts.allowed.min is None:
            return integer()
        return COUNT if facts.allowed.min == 0 else COUNT_OR_NONE
    return BOOLEAN if facts.kind == "boolean" else NUMBER


#: Settings that are only there if they do something.
OPTIONAL_SETTINGS = (
    *(facts.name for facts in PLAIN_OPTIONS if facts.reported_if_on or facts.part_of),
    "dry_sequence_breakers",
)
SETTINGS_SCHEMAS = {"GenerationSettings": record(settings_properties(), optional=OPTIONAL_SETTINGS)}
