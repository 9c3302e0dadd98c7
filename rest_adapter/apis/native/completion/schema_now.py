"""Answers of POST /completion in the shape of today, in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.common.generation_schema import PROBABILITIES_SCHEMAS, PROGRESS_SCHEMAS, TIMINGS_SCHEMAS
from rest_adapter.apis.common.settings_now_schema import SETTINGS_NOW_SCHEMAS
from rest_adapter.openapi.schema_types import BOOLEAN, COUNT, STRING, Schema, array, either, record, ref

_PROBABILITIES = array(either(ref("TokenLogprobs"), ref("PostSamplingProbabilities")))
_OPTIONAL = ("completion_probabilities", "prompt_progress", "timings")
#: What events and whole answers have.
_COMMON: dict[str, Schema] = {
    "completion_probabilities": _PROBABILITIES,
    "content": STRING,
    "id_slot": COUNT,
    "index": COUNT,
    "timings": ref("Timings"),
    "tokens": array(COUNT),
    "tokens_evaluated": COUNT,
    "tokens_predicted": COUNT,
}
_WHOLE: dict[str, Schema] = {
    **_COMMON,
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
_PIECE: dict[str, Schema] = {**_COMMON, "prompt_progress": ref("PromptProgress"), "stop": {"const": False}}
COMPLETION_NOW_SCHEMAS: dict[str, Schema] = {
    **SETTINGS_NOW_SCHEMAS,
    **PROBABILITIES_SCHEMAS,
    **TIMINGS_SCHEMAS,
    **PROGRESS_SCHEMAS,
    "CompletionNow": record(_WHOLE, ("completion_probabilities",)),
    "CompletionPieceNow": record(_PIECE, _OPTIONAL),
}
