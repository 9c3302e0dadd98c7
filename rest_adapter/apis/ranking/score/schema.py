"""POST /score in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.common.pairs import UNSUPPORTED_SCORE
from rest_adapter.apis.ranking.ranking_schema import USAGE, body_with_texts
from rest_adapter.apis.ranking.score.body import ScoreBody
from rest_adapter.http.media_types import JSON
from rest_adapter.openapi.operation import MODEL_ERRORS, RANKING, Operation
from rest_adapter.openapi.schema_types import COUNT, NUMBER, STRING, Schema, array, record, ref


def score_body() -> Schema:
    return body_with_texts(ScoreBody, ("text_1", "text_2"), UNSUPPORTED_SCORE)


_ENTRY = record({"index": COUNT, "object": {"const": "score"}, "score": NUMBER})
_FIELDS: dict[str, Schema] = {
    "id": STRING,
    "object": {"const": "list"},
    "created": COUNT,
    "model": STRING,
    "data": array(_ENTRY),
    "usage": USAGE,
}

SCORE = Operation(
    RANKING,
    "Scores of pairs of texts",
    "For models that score pairs of texts (pooling type rank); others answer 501. text_1 is one text for all of "
    "text_2, or a text for each of them.",
    {200: {JSON: ref("ScoreList")}},
    {"ScoreList": record(_FIELDS)},
    MODEL_ERRORS,
    score_body,
)
