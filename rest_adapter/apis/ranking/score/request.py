"""POST /score: from bodies to texts to score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rest_adapter.apis.common.pairs import UNSUPPORTED_SCORE, Query, check_count
from rest_adapter.apis.common.structs import read_struct
from rest_adapter.apis.common.unsupported import refuse_unsupported
from rest_adapter.apis.ranking.score.body import ScoreBody
from rest_adapter.errors import InvalidRequest
from slotline.v1.rerank_pb2 import RerankRequest

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class ScoreCall:
    """A body of POST /score: its fields, and its pairs in order, those of a query together."""

    body: ScoreBody
    queries: list[Query]


def read_score(body: Mapping[str, object]) -> ScoreCall:
    """Read a body.

    Raises:
        InvalidRequest: a field has a value that is not allowed.
    """
    refuse_unsupported(body, UNSUPPORTED_SCORE)
    fields = read_struct(body, ScoreBody)
    first, second = _entries("text_1", fields.text_1), _entries("text_2", fields.text_2)
    if len(first) not in (1, len(second)):
        raise InvalidRequest(
            "text_1", f"has {len(first)} texts and text_2 has {len(second)}; allowed is one, or as many as there"
        )
    options = RerankRequest(normalize=fields.use_activation is not False)
    groups = [second] if len(first) == 1 else [[one] for one in second]
    queries = [
        Query(text, [other for other, _ in group], field, [place for _, place in group], options)
        for (text, field), group in zip(first, groups, strict=True)
    ]
    return ScoreCall(fields, queries)


def _entries(name: str, value: str | list[str]) -> list[tuple[str, str]]:
    """Texts, and where each is in the body."""
    if isinstance(value, str):
        return [(value, name)]
    check_count(name, value)
    return [(text, f"{name}[{index}]") for index, text in enumerate(value)]
