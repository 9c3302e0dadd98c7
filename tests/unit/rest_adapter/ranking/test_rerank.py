"""POST /rerank and POST /score without a server: bodies, and answers from scores."""

from __future__ import annotations

from typing import Any

import pytest

from rest_adapter.apis.common.pairs import Scores
from rest_adapter.apis.ranking.rerank.reply import rerank_reply
from rest_adapter.apis.ranking.rerank.request import RerankCall, read_rerank
from rest_adapter.apis.ranking.score.reply import score_reply
from rest_adapter.apis.ranking.score.request import read_score
from rest_adapter.errors import InvalidRequest
from slotline.v1.rerank_pb2 import TRUNCATION_END, TRUNCATION_START, TRUNCATION_UNSPECIFIED

SCORES = Scores("ranker", [0.5, -2.0, 3.0, 0.5], 40)
TEXTS = ["a", "b", "c", "d"]


def answer(**body: Any) -> Any:
    return rerank_reply(asked(**body), SCORES)


def asked(**body: Any) -> RerankCall:
    return read_rerank({"query": "q", "documents": TEXTS} | body)


def test_the_answer_is_in_the_order_of_relevance() -> None:
    made = answer()
    assert made.pop("id").startswith("rerank-")
    assert made == {
        "meta": {"api_version": {"version": "1"}, "tokens": {"input_tokens": 40}},
        "model": "ranker",
        "object": "list",
        "usage": {"prompt_tokens": 40, "total_tokens": 40},
        "results": [
            {"index": 2, "relevance_score": 3.0},
            {"index": 0, "relevance_score": 0.5},
            {"index": 3, "relevance_score": 0.5},
            {"index": 1, "relevance_score": -2.0},
        ],
    }


def test_fewer_results_and_repeated_texts_come_if_they_are_asked_for() -> None:
    results = answer(top_n=2, return_documents=True, model="mine")["results"]
    assert [(one["index"], one["document"]) for one in results] == [(2, {"text": "c"}), (0, {"text": "a"})]
    assert answer(model="mine")["model"] == "mine"
    assert len(answer(top_n=99)["results"]) == 4


def test_documents_may_be_objects() -> None:
    call = read_rerank({"query": "q", "documents": ["a", {"text": "b", "id": 7}]})
    assert list(call.query.documents) == ["a", "b"]
    assert list(call.query.document_fields) == ["documents[0]", "documents[1].text"]


def test_texts_are_answered_as_an_array() -> None:
    call = read_rerank({"query": "q", "texts": TEXTS, "top_n": 2, "return_text": True})
    assert rerank_reply(call, SCORES) == [
        {"index": 2, "score": 3.0, "text": "c"},
        {"index": 0, "score": 0.5, "text": "a"},
    ]


def test_scores_are_raw_unless_the_body_says_otherwise() -> None:
    for raw_scores in (None, True, False):
        assert asked(raw_scores=raw_scores).query.request(0, 4).normalize is (raw_scores is False)


def test_the_version_of_coheres_api_is_told() -> None:
    made: Any = rerank_reply(asked(), SCORES, "2")
    assert made["meta"]["api_version"] == {"version": "2"}


@pytest.mark.parametrize(
    ("body", "truncation"),
    [
        ({}, TRUNCATION_UNSPECIFIED),
        ({"truncate": False, "truncation_direction": "Left"}, TRUNCATION_UNSPECIFIED),
        ({"truncate": True}, TRUNCATION_END),
        ({"truncate": True, "truncation_direction": "Right"}, TRUNCATION_END),
        ({"truncate": True, "truncation_direction": "left"}, TRUNCATION_START),
    ],
)
def test_texts_are_cut_as_the_body_says(body: dict[str, Any], truncation: int) -> None:
    request = asked(**body).query.request(1, 3)
    assert (list(request.documents), request.query, request.truncation) == (["b", "c"], "q", truncation)
    assert not request.HasField("max_document_tokens")
    assert asked(**body | {"truncate": True, "max_tokens_per_doc": 7}).query.request(0, 1).max_document_tokens == 7


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "query: is missing"),
        ({"query": ""}, "query"),
        ({"query": 3, "documents": TEXTS}, "query: 3"),
        ({"query": "q"}, "documents: is missing"),
        ({"query": "q", "documents": None}, "documents: is missing"),
        ({"query": "q", "documents": []}, "documents: has 0 entries; allowed are 1 to 2048"),
        ({"query": "q", "documents": 123}, "documents: 123"),
        ({"query": "q", "documents": ["a", 2]}, "documents[1]: 2"),
        ({"query": "q", "documents": ["a", ""]}, "documents[1]"),
        ({"query": "q", "documents": ["a"], "texts": ["b"]}, "texts: is not allowed together with documents"),
        ({"query": "q", "documents": ["a"], "top_n": 0}, "top_n: 0"),
        ({"query": "q", "documents": ["a"], "max_tokens_per_doc": 0}, "max_tokens_per_doc: 0"),
        ({"query": "q", "documents": ["a"], "truncation_direction": "up"}, 'truncation_direction: "up"'),
        (
            {"query": "q", "documents": ["a"], "truncation_direction": "Left", "max_tokens_per_doc": 3},
            'truncation_direction: "Left" is not allowed with max_tokens_per_doc alone',
        ),
        ({"query": "q", "documents": ["a"], "rank_fields": ["title"]}, 'rank_fields: ["title"] is not supported'),
        ({"query": "q", "documents": ["a"], "max_chunks_per_doc": 2}, "max_chunks_per_doc: 2 is not supported"),
    ],
)
def test_what_is_not_allowed_is_refused_by_name(body: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_rerank(body)
    assert str(caught.value).startswith(words)


def test_one_text_is_scored_with_each_of_the_others() -> None:
    call = read_score({"text_1": "q", "text_2": ["a", "b"]})
    (query,) = call.queries
    assert (query.text, list(query.documents)) == ("q", ["a", "b"])
    assert list(query.document_fields) == ["text_2[0]", "text_2[1]"]


def test_as_many_texts_are_scored_in_pairs() -> None:
    queries = read_score({"text_1": ["p", "q"], "text_2": ["a", "b"]}).queries
    assert [(one.text, list(one.documents), one.field) for one in queries] == [
        ("p", ["a"], "text_1[0]"),
        ("q", ["b"], "text_1[1]"),
    ]


def test_scores_are_between_0_and_1_unless_the_body_says_otherwise() -> None:
    call = read_score({"text_1": "q", "text_2": TEXTS})
    assert call.queries[0].request(0, 4).normalize
    made: Any = score_reply(call, SCORES)
    assert [one["score"] for one in made["data"]] == SCORES.values
    assert [one["index"] for one in made["data"]] == [0, 1, 2, 3]
    raw = read_score({"text_1": "q", "text_2": TEXTS, "use_activation": False})
    assert not raw.queries[0].request(0, 4).normalize


def test_lists_of_other_lengths_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="text_1: has 2 texts and text_2 has 3"):
        read_score({"text_1": ["p", "q"], "text_2": ["a", "b", "c"]})
