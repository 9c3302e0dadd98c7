"""POST /embedding: vectors as JSON text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.vectors import Vectors, rows_of, separated
from rest_adapter.json.encoding import encode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rest_adapter.apis.common.embedding_call import EmbeddingCall
    from slotline.v1.embedding_pb2 import Embedding


def embedding_parts(call: EmbeddingCall, vectors: Vectors) -> Iterator[bytes]:
    """The native answer as consecutive parts: one object, or an object with a list of them.

    Vectors of tokens have the form of today: the server of 2024 gave none.
    """
    if vectors.are_of_tokens:
        yield from embedding_parts_now(call, vectors)
        return
    if not call.is_list:
        yield _native(vectors.embeddings[0])
        return
    yield b'{"results":['
    yield from separated(_native(embedding) for embedding in vectors.embeddings)
    yield b"]}"


def embedding_parts_now(call: EmbeddingCall, vectors: Vectors) -> Iterator[bytes]:
    """The answer in the shape of today: an array with a list of vectors for each input, of one if they are pooled."""
    yield b"["
    yield from separated(
        encode({"index": index, "embedding": rows_of(one)}) for index, one in enumerate(vectors.embeddings)
    )
    yield b"]"


def _native(embedding: Embedding) -> bytes:
    return encode({"embedding": list(embedding.values)})
