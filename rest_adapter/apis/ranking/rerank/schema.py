"""POST /rerank in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.ranking.ranking_schema import USAGE, body_with_texts
from rest_adapter.apis.ranking.rerank.body import RerankBody
from rest_adapter.http.media_types import JSON
from rest_adapter.openapi.operation import MODEL_ERRORS, RANKING, Operation
from rest_adapter.openapi.schema_types import COUNT, NUMBER, STRING, Schema, array, either, record, ref

_ABOUT = (
    "For models that score pairs of texts (pooling type rank); others answer 501. A text that is too long beside the "
    "query is refused. The most relevant text comes first, and scores are those of the model, without bounds, unless "
    "raw_scores is false."
)


def rerank_body() -> Schema:
    names = ("documents", "texts")
    forms = [{"required": [name], "properties": {name: {"type": "array"}}} for name in names]
    return body_with_texts(RerankBody, names) | {"oneOf": forms}


_RESULT = record(
    {"index": COUNT, "relevance_score": NUMBER, "document": record({"text": STRING})}, optional=("document",)
)
_FIELDS: dict[str, Schema] = {"model": STRING, "object": {"const": "list"}, "usage": USAGE, "results": array(_RESULT)}
_FIELDS_V2: dict[str, Schema] = {"id": STRING, "meta": record({"api_version": record({"version": STRING})})}
_TEI = array(record({"index": COUNT, "score": NUMBER, "text": STRING}, optional=("text",)))

RERANK = Operation(
    RANKING,
    "Texts by their relevance to a query",
    _ABOUT,
    {200: {JSON: either(ref("Ranking"), _TEI)}},
    {"Ranking": record(_FIELDS)},
    MODEL_ERRORS,
    rerank_body,
)
RERANK_V2 = Operation(
    RANKING,
    "The same in the form of Cohere's API",
    _ABOUT,
    {200: {JSON: either(ref("RankingV2"), _TEI)}},
    {"RankingV2": record(_FIELDS | _FIELDS_V2)},
    MODEL_ERRORS,
    rerank_body,
)
