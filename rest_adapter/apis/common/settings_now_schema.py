"""``params`` and ``generation_settings`` in the shape of today, in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.common.settings import PLAIN_OPTIONS
from rest_adapter.apis.common.settings_schema import COUNT_OR_NONE, shown_option
from rest_adapter.openapi.schema_types import BOOLEAN, COUNT, NULL, NUMBER, STRING, Schema, array, either, record
from slotline.options.chain import GONE_OPTIONS

#: What is not always known, or has no value.
_PARTS: dict[str, Schema] = {
    "chat_format": STRING,
    "generation_prompt": STRING,
    "reasoning_format": STRING,
    "reasoning_in_content": BOOLEAN,
}
_PARAMS: dict[str, Schema] = {
    **_PARTS,
    "backend_sampling": {"const": False},
    **{facts.name: shown_option(facts) for facts in PLAIN_OPTIONS if facts.name not in GONE_OPTIONS},
    "lora": array(record({"id": COUNT, "scale": NUMBER})),
    "max_tokens": COUNT_OR_NONE,
    "n_discard": COUNT,
    "n_keep": COUNT,
    "n_predict": COUNT_OR_NONE,
    "n_probs": COUNT,
    "post_sampling_probs": BOOLEAN,
    "samplers": array(STRING),
    "seed": COUNT,
    "stream": BOOLEAN,
    "timings_per_token": BOOLEAN,
}
_TEXTS: dict[str, Schema] = {
    "dry_sequence_breakers": array(STRING),
    "grammar": STRING,
    "grammar_lazy": BOOLEAN,
    "grammar_triggers": array({}),
    "logit_bias": array(record({"bias": either(NUMBER, NULL), "token": COUNT})),
    "preserved_tokens": array({}),
    "stop": array(STRING),
}

SETTINGS_NOW_SCHEMAS: dict[str, Schema] = {
    "Params": record(_PARAMS, optional=_PARTS),
    "SettingsNow": record(_PARAMS | _TEXTS, optional=_PARTS),
}
PARAMS_SCHEMAS: dict[str, Schema] = {"Params": SETTINGS_NOW_SCHEMAS["Params"]}
