"""How vectors are scaled, and ``EmbedResponse``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from service.config import Pooling
from service.errors import EngineFailure, InvalidArgument
from slotline.v1 import embedding_pb2, tokens_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from service.engine.language_model import Rows
    from service.engine.request.requests import EmbeddingRequest

#: What the largest magnitude of a vector becomes: nearly the largest integer of 16 bits, as llama.cpp has it.
MAX_INT16_SCALE = 32760.0
_NORMS = {
    embedding_pb2.NORM_NONE,
    embedding_pb2.NORM_MAX_INT16,
    embedding_pb2.NORM_TAXICAB,
    embedding_pb2.NORM_EUCLIDEAN,
}


def norm_of(request: embedding_pb2.EmbedRequest, pooling: Pooling) -> embedding_pb2.Norm.ValueType:
    """How the vectors of a request are scaled; never ``NORM_UNSPECIFIED``.

    Raises:
        InvalidArgument: the request says it twice, or names none that there is.
    """
    if request.norm == embedding_pb2.NORM_UNSPECIFIED:
        is_scaled = request.normalize if request.HasField("normalize") else pooling is not Pooling.NONE
        return embedding_pb2.NORM_EUCLIDEAN if is_scaled else embedding_pb2.NORM_NONE
    if request.norm not in _NORMS:
        allowed = ", ".join(embedding_pb2.Norm.Name(norm) for norm in sorted(_NORMS))
        raise InvalidArgument("norm", f"is {request.norm}; allowed are {allowed}")
    if request.HasField("normalize"):
        raise InvalidArgument("norm", "is not allowed together with normalize; set one of them")
    return request.norm


def scaled(vectors: Rows, norm: embedding_pb2.Norm.ValueType) -> Rows:
    """The vectors, finite and of shape (n, n_embd), by their norm; zero vectors stay zero."""
    if norm == embedding_pb2.NORM_NONE:
        return vectors
    # In double precision no square of a float32 overflows, and none but that of 0 is 0.
    doubles = vectors.astype(np.float64)
    match norm:
        case embedding_pb2.NORM_MAX_INT16:
            lengths = np.abs(doubles).max(axis=1, keepdims=True) / MAX_INT16_SCALE
        case embedding_pb2.NORM_TAXICAB:
            lengths = np.abs(doubles).sum(axis=1, keepdims=True)
        case _:
            lengths = np.sqrt((doubles * doubles).sum(axis=1, keepdims=True))
    divided: Rows = np.divide(doubles, lengths, out=np.zeros_like(doubles), where=lengths > 0).astype(np.float32)
    return divided


def embed_response(
    request: embedding_pb2.EmbedRequest, prepared: EmbeddingRequest, vectors: Rows, pooling: Pooling
) -> embedding_pb2.EmbedResponse:
    """The answer. Takes 30 ms for the largest one.

    Args:
        request: how the vectors are wanted.
        prepared: what the engine was asked for.
        vectors: what it gave: float32, shape (inputs, n_embd); with ``Pooling.NONE`` a row for each item of the inputs.
        pooling: how they were made.

    Raises:
        EngineFailure: a vector has a component that is not a finite number.
    """
    if not np.isfinite(vectors).all():
        raise EngineFailure("the model gave an embedding with components that are not finite numbers")
    rows = scaled(vectors, norm_of(request, pooling)).tolist()
    if pooling is Pooling.NONE:
        embeddings = _embeddings_of_tokens(rows, [len(items) for items in prepared.inputs])
    else:
        embeddings = (embedding_pb2.Embedding(index=index, values=row) for index, row in enumerate(rows))
    return embedding_pb2.EmbedResponse(
        embeddings=embeddings,
        usage=tokens_pb2.Usage(
            prompt_tokens=sum(map(len, prepared.inputs)),
            image_tokens=prepared.n_media_items if prepared.media else None,
        ),
    )


def _embeddings_of_tokens(rows: Sequence[Sequence[float]], lengths: Sequence[int]) -> Iterator[embedding_pb2.Embedding]:
    """An embedding for each input, of as many rows as its length says."""
    start = 0
    for index, length in enumerate(lengths):
        vectors = (embedding_pb2.TokenVector(values=row) for row in rows[start : start + length])
        yield embedding_pb2.Embedding(index=index, token_vectors=vectors)
        start += length
