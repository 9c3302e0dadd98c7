"""POST /v1/embeddings: vectors as JSON text."""

from __future__ import annotations

import base64
from array import array
from sys import byteorder
from typing import TYPE_CHECKING

from rest_adapter.apis.common.vectors import Vectors, separated
from rest_adapter.json.encoding import encode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rest_adapter.apis.common.embedding_call import EmbeddingCall
    from slotline.v1.embedding_pb2 import Embedding


def openai_embedding_parts(call: EmbeddingCall, vectors: Vectors) -> Iterator[bytes]:
    """The answer as consecutive parts."""
    yield b'{"data":['
    yield from separated(
        encode({"embedding": _vector(embedding, call.is_base64), "index": index, "object": "embedding"})
        for index, embedding in enumerate(vectors.embeddings)
    )
    usage = {"prompt_tokens": vectors.prompt_tokens, "total_tokens": vectors.prompt_tokens}
    rest = encode({"model": call.model, "object": "list", "usage": usage})
    yield b"]," + rest[1:]


def _vector(embedding: Embedding, is_base64: bool) -> object:
    if not is_base64:
        return list(embedding.values)
    values = array("f", embedding.values)
    if byteorder == "big":
        values.byteswap()
    return base64.b64encode(values.tobytes()).decode()
