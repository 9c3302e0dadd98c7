"""POST /v1/embeddings: vectors as JSON text."""

from __future__ import annotations

import base64
from array import array
from sys import byteorder
from typing import TYPE_CHECKING

from rest_adapter.apis.common.vectors import Vectors, separated
from rest_adapter.errors import InvalidRequest
from rest_adapter.json.encoding import encode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rest_adapter.apis.common.embedding_call import EmbeddingCall
    from rest_adapter.json.encoding import JsonObject
    from slotline.v1.embedding_pb2 import Embedding


def openai_embedding_parts(call: EmbeddingCall, vectors: Vectors) -> Iterator[bytes]:
    """The answer as consecutive parts.

    Raises:
        InvalidRequest: each token has a vector, for which the form has no room.
    """
    if vectors.are_of_tokens:
        raise InvalidRequest(
            call.field,
            "has a vector for each token, because the server was started with --pooling none, and this route has room "
            "for one; send it to /embeddings",
        )
    yield b'{"data":['
    yield from separated(
        encode(_item(embedding, index, call.is_base64)) for index, embedding in enumerate(vectors.embeddings)
    )
    usage = {"prompt_tokens": vectors.prompt_tokens, "total_tokens": vectors.prompt_tokens}
    rest = encode({"model": call.model, "object": "list", "usage": usage})
    yield b"]," + rest[1:]


def _item(embedding: Embedding, index: int, is_base64: bool) -> JsonObject:
    if is_base64:
        return {
            "embedding": _base64(embedding),
            "encoding_format": "base64",
            "index": index,
            "object": "embedding",
        }
    return {"embedding": list(embedding.values), "index": index, "object": "embedding"}


def _base64(embedding: Embedding) -> str:
    """Little-endian float32."""
    values = array("f", embedding.values)
    if byteorder == "big":
        values.byteswap()
    return base64.b64encode(values.tobytes()).decode()
