"""POST /rerank in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.common.pairs import MAX_TEXTS, UNSUPPORTED
from rest_adapter.apis.common.structs import schema_of
from rest_adapter.apis.common.unsupported_schema import unsupported
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
    schema = schema_of(RerankBody)
    for name in ("documents", "texts"):
        for one in schema["properties"][name]["anyOf"]:
            if one.get("type") == "array":
                one |= {"minItems": 1, "maxItems": MAX_TEXTS}
    forms = [{"required": [name], "properties": {name: {"type": "array"}}} for name in ("documents", "texts")]
    properties = schema["properties"] | unsupported(UNSUPPORTED)
    return schema | {"properties": properties, "oneOf": forms}


def _ranking(*more: str) -> Schema:
    result = record(
        {"index": COUNT, "relevance_score": NUMBER, "document": record({"text": STRING})}, optional=("document",)
    )
    fields: dict[str, Schema] = {
        "model": STRING,
        "object": {"const": "list"},
        "usage": record({"prompt_tokens": COUNT, "total_tokens": COUNT}),
        "results": array(result),
        "id": STRING,
        "meta": record({"api_version": record({"version": STRING})}),
    }
    return record({name: schema for name, schema in fields.items() if name not in ("id", "meta") or name in more})


_TEI = array(record({"index": COUNT, "score": NUMBER, "text": STRING}, optional=("text",)))

RERANK = Operation(
    RANKING,
    "Texts by their relevance to a query",
    _ABOUT,
    {200: {JSON: either(ref("Ranking"), _TEI)}},
    {"Ranking": _ranking()},
    MODEL_ERRORS,
    rerank_body,
)
RERANK_V2 = Operation(
    RANKING,
    "The same in the form of Cohere's API",
    _ABOUT,
    {200: {JSON: either(ref("RankingV2"), _TEI)}},
    {"RankingV2": _ranking("id", "meta")},
    MODEL_ERRORS,
    rerank_body,
)
