"""POST /embedding: vectors as JSON text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.vectors import Vectors, separated
from rest_adapter.json.encoding import encode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rest_adapter.apis.common.embedding_call import EmbeddingCall
    from slotline.v1.embedding_pb2 import Embedding


def embedding_parts(call: EmbeddingCall, vectors: Vectors) -> Iterator[bytes]:
    """The native answer as consecutive parts: one object, or an object with a list of them."""
    if not call.is_list:
        yield _native(vectors.embeddings[0])
        return
    yield b'{"results":['
    yield from separated(_native(embedding) for embedding in vectors.embeddings)
    yield b"]}"


def _native(embedding: Embedding) -> bytes:
    return encode({"embedding": list(embedding.values)})
