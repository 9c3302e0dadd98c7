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


def separated(parts: Iterator[bytes]) -> Iterator[bytes]:
    """The parts of an array with commas between them."""
    for number, part in enumerate(parts):
        yield b"," + part if number else part
