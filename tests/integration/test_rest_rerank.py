"""Documents in the order of their relevance over REST, from a real model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.support import tiny_decoding_ranker
from tests.support.minilm_gguf import write_tiny_encoder
from tests.support.server import PATIENCE_S, Server
from tests.support.tiny_decoding_ranker import DECODING_RANKER
from tests.support.tiny_gguf import write_tiny_gguf
from tests.support.tiny_ranker import RANKER, expected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DOCUMENTS = ["world", "hello", "a", "b a"]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of a reranker."""
    path = write_tiny_encoder(tmp_path_factory.mktemp("models") / "ranker.gguf", RANKER)
    with Server("-m", str(path)) as server:
        server.wait_until_ready()
        yield server.rest_url


def post(url: str, path: str, **body: Any) -> requests.Response:
    return requests.post(url + path, json=body, timeout=PATIENCE_S)


@pytest.mark.parametrize("path", ["/rerank", "/reranking", "/v1/rerank", "/v1/reranking", "/v2/rerank"])
def test_documents_come_in_the_order_of_their_scores(url: str, path: str) -> None:
    answer = post(url, path, query="hello", documents=DOCUMENTS, return_documents=True)
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    scores = [one["relevance_score"] for one in results]
    assert scores == sorted(scores, reverse=True)
    assert {one["document"]["text"]: one["relevance_score"] for one in results} == pytest.approx(
        {document: expected("hello", document)[0] for document in DOCUMENTS}, abs=1e-2
    )
    assert answer.json()["usage"]["prompt_tokens"] == sum(3 + len(one.split()) for one in DOCUMENTS)


def test_pairs_are_scored_in_their_order(url: str) -> None:
    answer = post(url, "/score", text_1=["hello", "world"], text_2=["a", "b"], use_activation=False)
    assert [one["score"] for one in answer.json()["data"]] == pytest.approx(
        [expected("hello", "a")[0], expected("world", "b")[0]], abs=1e-2
    )


def test_documents_are_cut_if_that_is_asked_for(url: str) -> None:
    long = "b " * 50
    for fields in ({"truncate": True}, {"max_tokens_per_doc": 3}):
        answer = post(url, "/v2/rerank", query="hello", documents=["a", long], **fields)
        assert answer.status_code == 200, answer.text
    cut = answer.json()["results"]
    assert {one["index"]: one["relevance_score"] for one in cut}[1] == pytest.approx(
        expected("hello", "b b b")[0], abs=1e-2
    )
    assert answer.json()["meta"]["tokens"]["input_tokens"] == 4 + 6


def test_scores_are_put_between_0_and_1_on_request(url: str) -> None:
    answer = post(url, "/rerank", query="hello", texts=DOCUMENTS, raw_scores=False, return_text=True).json()
    for one in answer:
        raw = expected("hello", one["text"])[0]
        assert one["score"] == pytest.approx(1 / (1 + math.exp(-raw)), abs=1e-2)


def test_a_decoder_scores_with_probabilities(tmp_path: Path) -> None:
    path = write_tiny_gguf(tmp_path / "ranker.gguf", DECODING_RANKER)
    with Server("-m", str(path), "--pooling", "rank") as server:
        server.wait_until_ready()
        for fields in ({}, {"raw_scores": False}):
            answer = post(server.rest_url, "/v1/rerank", query="hello", documents=DOCUMENTS, **fields).json()
            assert {one["index"]: one["relevance_score"] for one in answer["results"]} == pytest.approx(
                {i: tiny_decoding_ranker.expected("hello", one)[0] for i, one in enumerate(DOCUMENTS)}, abs=2e-3
            )


def test_many_documents_take_several_calls(url: str) -> None:
    answer = post(url, "/rerank", query="hello", documents=DOCUMENTS * 500)
    assert answer.status_code == 200, answer.text
    assert sorted(one["index"] for one in answer.json()["results"]) == list(range(2000))


def test_a_text_that_is_too_long_is_refused_by_its_name(url: str) -> None:
    answer = post(url, "/rerank", query="hello", documents=["a", {"text": "b " * 50}])
    assert answer.status_code == 400
    assert "documents[1].text" in answer.json()["error"]["message"]


def test_the_model_neither_embeds_nor_generates(url: str) -> None:
    for path, body in (("/embedding", {"content": "a"}), ("/completion", {"prompt": "a"})):
        assert post(url, path, **body).status_code == 501


def test_a_server_that_is_to_rank_does_not_start_with_another_model() -> None:
    with Server("--reranking") as server:
        assert server.wait(PATIENCE_S) == 1
        assert "--reranking" in server.stderr
