"""Pairs of texts to score, and their scores."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rest_adapter.apis.common.unsupported import Unsupported
from rest_adapter.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Texts of one body, as many as a body of embeddings may have.
MAX_TEXTS = 2048
#: Fields of APIs for scores that would change them here, if they were not refused.
UNSUPPORTED: tuple[Unsupported, ...] = (
    Unsupported("truncate", "shorten texts that are too long", (False,)),
    Unsupported("truncate_prompt_tokens", "shorten texts to so many tokens"),
    Unsupported("max_tokens_per_doc", "shorten documents to so many tokens"),
    Unsupported("max_chunks_per_doc", "divide documents and score their parts"),
)


@dataclass(frozen=True, slots=True)
class Query:
    """A query, and texts to score for it.

    Attributes:
        text: the query.
        documents: the texts.
        field: where the query is in the body.
        document_fields: where each text is.
    """

    text: str
    documents: Sequence[str]
    field: str
    document_fields: Sequence[str]


@dataclass(frozen=True, slots=True)
class Scores:
    """What the core answered.

    Attributes:
        model: name of the model.
        values: one score for each text, in order, as the model gives them.
        prompt_tokens: of all pairs.
    """

    model: str
    values: Sequence[float]
    prompt_tokens: int


def check_count(name: str, texts: Sequence[object]) -> None:
    """Check how many texts an array has.

    Raises:
        InvalidRequest: too many, or none.
    """
    if not 0 < len(texts) <= MAX_TEXTS:
        raise InvalidRequest(name, f"has {len(texts)} entries; allowed are 1 to {MAX_TEXTS}")


def sigmoid(score: float) -> float:
    """1 / (1 + exp(-score)), from 0 to 1."""
    return 1 / (1 + math.exp(-score)) if score >= 0 else math.exp(score) / (1 + math.exp(score))
