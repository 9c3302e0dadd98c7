"""Documents in the order of their relevance over REST, from a real model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.support.minilm_gguf import write_tiny_encoder
from tests.support.server import PATIENCE_S, Server
from tests.support.tiny_ranker import RANKER, expected

if TYPE_CHECKING:
    from collections.abc import Iterator

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
