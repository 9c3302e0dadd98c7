"""``RerankRequest`` to ``EmbeddingRequest``, and scores to ``RerankResponse``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from service.api.convert.rerank import rerank_request, rerank_response
from service.config import Pooling
from service.engine.request.requests import EmbeddingRequest
from service.errors import ContextLengthExceeded, EngineFailure, InvalidArgument
from slotline.v1 import rerank_pb2
from tests.support.served import served_model

if TYPE_CHECKING:
    from service.api.served_model import ServedModel

#: It takes 20 tokens, of which each byte is one.
RANKER = served_model(can_generate=False, pooling=Pooling.RANK, n_hidden=20)
TEMPLATED = replace(RANKER, facts=replace(RANKER.facts, rerank_template="{query}: {document}."))
END, START = rerank_pb2.TRUNCATION_END, rerank_pb2.TRUNCATION_START
DOCUMENT = "0123456789abcdefghij"


def pair(document: str = DOCUMENT, query: str = "query", model: ServedModel = RANKER, **fields: Any) -> str:
    """The text of the pair that is scored."""
    request = rerank_pb2.RerankRequest(query=query, documents=[document], **fields)
    (tokens,) = rerank_request(request, model).inputs
    return bytes(item for item in tokens if isinstance(item, int)).decode()


@pytest.mark.parametrize(
    ("model", "fields", "expected"),
    [
        (RANKER, {"truncation": END}, "query0123456789abcde"),
        (RANKER, {"truncation": START}, "query56789abcdefghij"),
        (RANKER, {"max_document_tokens": 4}, "query0123"),
        (RANKER, {"max_document_tokens": 4, "truncation": START}, "queryghij"),
        (RANKER, {"max_document_tokens": 100, "truncation": END}, "query0123456789abcde"),
        (RANKER, {"max_document_tokens": 15}, "query0123456789abcde"),
        (TEMPLATED, {"truncation": END}, "query: 0123456789ab."),
        (TEMPLATED, {"truncation": START}, "query: 89abcdefghij."),
        (TEMPLATED, {"max_document_tokens": 1}, "query: 0."),
    ],
)
def test_documents_are_cut_where_and_as_far_as_the_request_says(
    model: ServedModel, fields: dict[str, Any], expected: str
) -> None:
    assert pair(model=model, **fields) == expected


@pytest.mark.parametrize("fields", [{}, {"truncation": START}, {"max_document_tokens": 5}])
def test_documents_that_are_short_enough_stay_as_they_are(fields: dict[str, Any]) -> None:
    assert pair("short", **fields) == "queryshort"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "documents[0]"),
        ({"max_document_tokens": 16}, "documents[0]"),
        ({"query": "q" * 20, "truncation": END}, "query"),
        ({"query": "q" * 70_000}, "query"),
        ({"document": "d" * 70_000}, "documents[0]"),
    ],
)
def test_what_does_not_fit_is_too_large(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(ContextLengthExceeded, match="too large") as caught:
        pair(**fields)
    assert caught.value.field == field


@pytest.mark.parametrize("fields", [{"truncation": END}, {"max_document_tokens": 4}])
def test_a_query_of_a_template_that_is_far_too_long_is_too_large(fields: dict[str, Any]) -> None:
    with pytest.raises(ContextLengthExceeded, match="too large") as caught:
        pair(model=TEMPLATED, query="q" * 70_000, **fields)
    assert caught.value.field == "query"


@pytest.mark.parametrize(
    ("fields", "field"), [({"max_document_tokens": 0}, "max_document_tokens"), ({"truncation": 7}, "truncation")]
)
def test_wrong_options_are_refused_by_name(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        pair(**fields)
    assert caught.value.field == field


def answered(*scores: float, normalize: bool | None = None, **info: Any) -> list[float]:
    request = rerank_pb2.RerankRequest(normalize=normalize)
    prepared = EmbeddingRequest(tuple((1, 2) for _ in scores))
    rows = np.array(scores, np.float32).reshape(-1, 1)
    answer = rerank_response(request, prepared, rows, replace(RANKER.info, **info))
    assert answer.usage.prompt_tokens == 2 * len(scores)
    return list(answer.scores)


def test_scores_are_put_between_0_and_1_on_request_and_stay_there() -> None:
    assert answered(-3, 0, 2) == [-3, 0, 2]
    assert answered(-3, 0, 2, normalize=True) == pytest.approx([0.0474259, 0.5, 0.8807971])
    assert answered(-1e30, 1e30, normalize=True) == [0, 1]
    assert answered(0.25, 0.5, normalize=True, scores_are_probabilities=True) == [0.25, 0.5]


def test_a_score_that_is_no_number_fails() -> None:
    with pytest.raises(EngineFailure, match="not a finite number"):
        answered(float("nan"))
