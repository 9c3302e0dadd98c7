"""A whole answer of the native routes in the shape of today, in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.common.generation_schema import PROBABILITIES_SCHEMAS, TIMINGS_SCHEMAS
from rest_adapter.apis.common.settings_now_schema import SETTINGS_NOW_SCHEMAS
from rest_adapter.openapi.schema_types import BOOLEAN, COUNT, STRING, Schema, array, either, record, ref

#: What events and whole answers have.
COMMON_NOW: dict[str, Schema] = {
    "completion_probabilities": array(either(ref("TokenLogprobs"), ref("PostSamplingProbabilities"))),
    "content": STRING,
    "id_slot": COUNT,
    "index": COUNT,
    "timings": ref("Timings"),
    "tokens": array(COUNT),
    "tokens_evaluated": COUNT,
    "tokens_predicted": COUNT,
}
_WHOLE: dict[str, Schema] = {
    **COMMON_NOW,
    "generation_settings": ref("SettingsNow"),
    "has_new_line": BOOLEAN,
    "model": STRING,
    "prompt": STRING,
    "stop": {"const": True},
    "stop_type": {"enum": ["none", "eos", "limit", "word"]},
    "stopping_word": STRING,
    "tokens_cached": COUNT,
    "truncated": BOOLEAN,
}
ANSWER_NOW_SCHEMAS: dict[str, Schema] = {
    **SETTINGS_NOW_SCHEMAS,
    **PROBABILITIES_SCHEMAS,
    **TIMINGS_SCHEMAS,
    "CompletionNow": record(_WHOLE, ("completion_probabilities",)),
}
