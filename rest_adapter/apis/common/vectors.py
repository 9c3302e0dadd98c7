"""Vectors as JSON text, made piece by piece: thousands of them take seconds to write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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

    @property
    def are_of_tokens(self) -> bool:
        """Whether each token has a vector, and not each input."""
        return any(one.token_vectors for one in self.embeddings)


def rows_of(embedding: Embedding) -> list[list[float]]:
    """All vectors of an input: that of each token, or one."""
    if embedding.token_vectors:
        return [list(vector.values) for vector in embedding.token_vectors]
    return [list(embedding.values)]


def separated(parts: Iterator[bytes]) -> Iterator[bytes]:
    """The parts of an array with commas between them."""
    for number, part in enumerate(parts):
        yield b"," + part if number else part
