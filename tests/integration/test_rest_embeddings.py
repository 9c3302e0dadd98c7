"""Vectors of tokens over REST, beside a generating model's other work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import requests

from tests.support.server import PATIENCE_S, Server

if TYPE_CHECKING:
    from tests.support.server_pool import ServerPool

OPTIONS = ("-c", "1024", "-np", "2", "--embedding")
TEXT = "What is the capital of Bulgaria?"


@pytest.fixture(scope="module")
def unpooled(servers: ServerPool) -> Server:
    return servers.get(*OPTIONS, "--pooling", "none")


@pytest.fixture(scope="module")
def pooled(servers: ServerPool) -> Server:
    return servers.get(*OPTIONS)


def post(server: Server, path: str, **body: Any) -> requests.Response:
    return requests.post(server.rest_url + path, json=body, timeout=PATIENCE_S)


@pytest.mark.parametrize("path", ["/embedding", "/embeddings"])
def test_each_token_has_a_vector_and_the_last_one_is_that_of_the_text(
    unpooled: Server, pooled: Server, path: str
) -> None:
    n_tokens = len(post(unpooled, "/tokenize", content=TEXT).json()["tokens"])
    answer = post(unpooled, path, content=[TEXT, "another one"]).json()
    assert [one["index"] for one in answer] == [0, 1]
    vectors = np.array(answer[0]["embedding"])
    assert len(vectors) == n_tokens
    # As the model gives them: far from length one.
    assert (np.linalg.norm(vectors, axis=1) > 2).all()
    whole = np.array(post(pooled, "/embedding", content=TEXT, embd_normalize=-1).json()["embedding"])
    np.testing.assert_allclose(vectors[-1], whole, atol=0.05 * np.abs(whole).max())


def test_a_norm_that_is_asked_for_counts_for_each_token(unpooled: Server) -> None:
    (answer,) = post(unpooled, "/embeddings", input=TEXT, embd_normalize=1).json()
    assert np.abs(answer["embedding"]).sum(axis=1) == pytest.approx(1, abs=1e-4)


def test_the_form_of_openai_has_one_vector_for_each_input(unpooled: Server) -> None:
    answer = post(unpooled, "/v1/embeddings", input=TEXT)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "input"


def test_the_model_generates_all_the_same(unpooled: Server) -> None:
    assert post(unpooled, "/completion", prompt="1, 2, 3,", n_predict=4).json()["tokens_predicted"] == 4


def test_an_array_in_the_shape_of_today(pooled: Server) -> None:
    (answer,) = post(pooled, "/embedding?shape=now", input=TEXT).json()
    (vector,) = answer["embedding"]
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-4)


def test_a_text_that_does_not_fit_is_too_large(pooled: Server) -> None:
    answer = post(pooled, "/v1/embeddings", input=["short", "This is a test " * 512])
    assert answer.status_code == 400
    assert "input[1]" in answer.json()["error"]["message"]
    assert "too large" in answer.json()["error"]["message"]
