"""POST /rerank in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.common.pairs import UNSUPPORTED
from rest_adapter.apis.ranking.ranking_schema import USAGE, body_with_texts
from rest_adapter.apis.ranking.rerank.body import RerankBody
from rest_adapter.http.media_types import JSON
from rest_adapter.openapi.operation import MODEL_ERRORS, RANKING, Operation
from rest_adapter.openapi.schema_types import COUNT, NUMBER, STRING, Schema, array, either, record, ref

_ABOUT = (
    "For models that score pairs of texts (pooling type rank); others answer 501. A text that is too long beside the "
    "query is refused unless truncate is true. The most relevant text comes first, and scores are those of the model, "
    "without bounds, unless raw_scores is false."
)


def rerank_body() -> Schema:
    names = ("documents", "texts")
    forms = [{"required": [name], "properties": {name: {"type": "array"}}} for name in names]
    return body_with_texts(RerankBody, names, UNSUPPORTED) | {"oneOf": forms}


_RESULT = record(
    {"index": COUNT, "relevance_score": NUMBER, "document": record({"text": STRING})}, optional=("document",)
)
_META = record({"api_version": record({"version": {"enum": ["1", "2"]}}), "tokens": record({"input_tokens": COUNT})})
_FIELDS: dict[str, Schema] = {
    "id": STRING,
    "model": STRING,
    "object": {"const": "list"},
    "usage": USAGE,
    "results": array(_RESULT),
    "meta": _META,
}
_TEI = array(record({"index": COUNT, "score": NUMBER, "text": STRING}, optional=("text",)))

_SUMMARY = "Texts by their relevance to a query"
_ANSWERS: dict[int, dict[str, Schema]] = {200: {JSON: either(ref("Ranking"), _TEI)}}
_SCHEMAS = {"Ranking": record(_FIELDS)}

RERANK = Operation(RANKING, _SUMMARY, _ABOUT, _ANSWERS, _SCHEMAS, MODEL_ERRORS, rerank_body)
RERANK_V2 = Operation(
    RANKING, f"{_SUMMARY}, in version 2 of Cohere's API", _ABOUT, _ANSWERS, _SCHEMAS, MODEL_ERRORS, rerank_body
)
