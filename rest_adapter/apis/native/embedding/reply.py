"""POST /embedding and POST /v1/embeddings: vectors in the native and in the OpenAI form.

Answers are made piece by piece, a vector each, for thousands of vectors take seconds to write.
"""

from __future__ import annotations

import base64
from array import array
from dataclasses import dataclass
from sys import byteorder
from typing import TYPE_CHECKING

from rest_adapter.json.encoding import encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rest_adapter.apis.native.embedding.request import EmbeddingCall
    from slotline.v1.embedding_pb2 import Embedding


@dataclass(frozen=True, slots=True)
class Vectors:
    """What the core answered, in the order of the inputs.

    Attributes:
        embeddings: one per input.
        prompt_tokens: tokens of all inputs together.
    """

    embeddings: Sequence[Embedding]
    prompt_tokens: int


def embedding_parts(call: EmbeddingCall, vectors: Vectors) -> Iterator[bytes]:
    """The native answer as consecutive parts: one object, or an object with a list of them."""
    if not call.is_list:
        yield _native(vectors.embeddings[0])
        return
    yield b'{"results":['
    yield from _separated(_native(embedding) for embedding in vectors.embeddings)
    yield b"]}"


def openai_parts(call: EmbeddingCall, vectors: Vectors) -> Iterator[bytes]:
    """The answer in the OpenAI form as consecutive parts."""
    yield b'{"data":['
    yield from _separated(
        encode({"embedding": _vector(embedding, call.is_base64), "index": index, "object": "embedding"})
        for index, embedding in enumerate(vectors.embeddings)
    )
    usage = {"prompt_tokens": vectors.prompt_tokens, "total_tokens": vectors.prompt_tokens}
    rest = encode({"model": call.model, "object": "list", "usage": usage})
    yield b"]," + rest[1:]


def _native(embedding: Embedding) -> bytes:
    return encode({"embedding": _vector(embedding, is_base64=False)})


def _vector(embedding: Embedding, is_base64: bool) -> object:
    if not is_base64:
        return list(embedding.values)
    values = array("f", embedding.values)
    if byteorder == "big":
        values.byteswap()
    return base64.b64encode(values.tobytes()).decode()


def _separated(parts: Iterator[bytes]) -> Iterator[bytes]:
    for number, part in enumerate(parts):
        yield b"," + part if number else part
