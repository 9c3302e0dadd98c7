"""Vectors, scaled, as ``EmbedResponse``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.convert.vectors import embed_response, norm_of, scaled
from service.config import Pooling
from service.engine.request.requests import EmbeddingRequest
from service.errors import EngineFailure, InvalidArgument
from slotline.v1 import embedding_pb2, tokens_pb2

if TYPE_CHECKING:
    from service.engine.language_model import Rows


class TestResponse:
    """``embed_response``."""

    PREPARED = EmbeddingRequest(((1, 2), (3,)))
    VECTORS = np.array([[3, 0, 4, 0], [0, 0, 0, 0]], np.float32)

    def test_has_vectors_of_unit_length_in_order_and_zeros_as_they_are(self) -> None:
        response = embed_response(embedding_pb2.EmbedRequest(), self.PREPARED, self.VECTORS, Pooling.LAST)
        assert [one.index for one in response.embeddings] == [0, 1]
        assert list(response.embeddings[0].values) == pytest.approx([0.6, 0, 0.8, 0])
        assert list(response.embeddings[1].values) == [0, 0, 0, 0]

    @pytest.mark.parametrize(("normalize", "first"), [(False, 3.0), (True, 0.6), (None, 0.6)])
    def test_has_raw_vectors_on_request(self, normalize: bool | None, first: float) -> None:
        request = embedding_pb2.EmbedRequest(normalize=normalize)
        response = embed_response(request, self.PREPARED, self.VECTORS, Pooling.LAST)
        assert response.embeddings[0].values[0] == pytest.approx(first)

    def test_counts_the_tokens_of_all_inputs(self) -> None:
        response = embed_response(embedding_pb2.EmbedRequest(), self.PREPARED, self.VECTORS, Pooling.LAST)
        assert response.usage == tokens_pb2.Usage(prompt_tokens=3)
        assert not response.usage.HasField("cached_prompt_tokens")

    @pytest.mark.parametrize("component", [math.nan, math.inf, -math.inf])
    @pytest.mark.parametrize("normalize", [True, False])
    def test_never_has_components_that_are_not_numbers(self, component: float, normalize: bool) -> None:
        broken = np.array([[1, component, 0, 0]], np.float32)
        with pytest.raises(EngineFailure, match="not finite"):
            embed_response(
                embedding_pb2.EmbedRequest(normalize=normalize), EmbeddingRequest(((1,),)), broken, Pooling.LAST
            )


@given(st.lists(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=4, max_size=4)))
def test_scaled_vectors_have_length_one_or_zero_however_large_or_small_they_were(values: list[list[float]]) -> None:
    vectors: Rows = np.array(values, np.float32).reshape(-1, 4)
    rows = scaled(vectors, embedding_pb2.NORM_EUCLIDEAN)
    assert rows.dtype == np.float32
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
    expected = np.where((vectors != 0).any(axis=1), 1.0, 0.0)
    assert lengths == pytest.approx(expected, abs=1e-5)
    assert (np.sign(rows) * np.sign(vectors) >= 0).all()


@pytest.mark.parametrize(
    ("norm", "expected"),
    [
        (embedding_pb2.NORM_NONE, [3, 0, -4, 0]),
        (embedding_pb2.NORM_MAX_INT16, [24570, 0, -32760, 0]),
        (embedding_pb2.NORM_TAXICAB, [3 / 7, 0, -4 / 7, 0]),
        (embedding_pb2.NORM_EUCLIDEAN, [0.6, 0, -0.8, 0]),
    ],
)
def test_each_norm_divides_by_what_it_says_and_leaves_zeros(
    norm: embedding_pb2.Norm.ValueType, expected: list[float]
) -> None:
    rows = scaled(np.array([[3, 0, -4, 0], [0, 0, 0, 0]], np.float32), norm)
    assert rows.tolist() == [pytest.approx(expected), [0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("fields", "pooling", "norm"),
    [
        ({}, Pooling.MEAN, embedding_pb2.NORM_EUCLIDEAN),
        ({}, Pooling.NONE, embedding_pb2.NORM_NONE),
        ({"normalize": True}, Pooling.NONE, embedding_pb2.NORM_EUCLIDEAN),
        ({"normalize": False}, Pooling.MEAN, embedding_pb2.NORM_NONE),
        ({"norm": embedding_pb2.NORM_TAXICAB}, Pooling.NONE, embedding_pb2.NORM_TAXICAB),
    ],
)
def test_vectors_of_texts_have_length_one_unless_told_otherwise(
    fields: dict[str, Any], pooling: Pooling, norm: embedding_pb2.Norm.ValueType
) -> None:
    assert norm_of(embedding_pb2.EmbedRequest(**fields), pooling) == norm


@pytest.mark.parametrize(
    ("fields", "problem"),
    [({"norm": 9}, "is 9; allowed are NORM_NONE"), ({"norm": 2, "normalize": True}, "together with normalize")],
)
def test_a_norm_that_there_is_not_or_that_is_said_twice_is_refused(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidArgument, match=problem) as caught:
        norm_of(embedding_pb2.EmbedRequest(**fields), Pooling.MEAN)
    assert caught.value.field == "norm"


def test_tokens_have_vectors_of_their_own_without_pooling() -> None:
    rows = np.arange(12, dtype=np.float32).reshape(3, 4)
    answer = embed_response(embedding_pb2.EmbedRequest(), EmbeddingRequest(((1, 2), (3,))), rows, Pooling.NONE)
    assert [one.index for one in answer.embeddings] == [0, 1]
    assert [[list(vector.values) for vector in one.token_vectors] for one in answer.embeddings] == [
        [[0, 1, 2, 3], [4, 5, 6, 7]],
        [[8, 9, 10, 11]],
    ]
    assert not any(one.values for one in answer.embeddings)
    assert answer.usage.prompt_tokens == 3
