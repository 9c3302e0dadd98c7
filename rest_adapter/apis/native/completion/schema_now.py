"""Answers of POST /completion in the shape of today, in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.common.answer_now_schema import ANSWER_NOW_SCHEMAS, COMMON_NOW
from rest_adapter.apis.common.generation_schema import PROGRESS_SCHEMAS
from rest_adapter.openapi.schema_types import Schema, record, ref

_OPTIONAL = ("completion_probabilities", "prompt_progress", "timings")
_PIECE: dict[str, Schema] = {**COMMON_NOW, "prompt_progress": ref("PromptProgress"), "stop": {"const": False}}
COMPLETION_NOW_SCHEMAS: dict[str, Schema] = {
    **ANSWER_NOW_SCHEMAS,
    **PROGRESS_SCHEMAS,
    "CompletionPieceNow": record(_PIECE, _OPTIONAL),
}
