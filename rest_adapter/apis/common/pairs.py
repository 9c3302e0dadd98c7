"""Pairs of texts to score, and their scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rest_adapter.apis.common.unsupported import LORA, Unsupported
from rest_adapter.errors import InvalidRequest
from slotline.v1.rerank_pb2 import RerankRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Texts of one body, as many as a body of embeddings may have.
MAX_TEXTS = 2048
#: Fields of APIs for scores that would change them, if they were not refused.
UNSUPPORTED: tuple[Unsupported, ...] = (
    LORA,
    Unsupported("truncate_prompt_tokens", "shorten queries and texts together", advice="send truncate to /rerank"),
    Unsupported("max_chunks_per_doc", "divide documents and score their parts", advice="send max_tokens_per_doc"),
    Unsupported("rank_fields", "score other fields of documents than text", (["text"],), advice="send text"),
)

#: What POST /score does not obey.
UNSUPPORTED_SCORE: tuple[Unsupported, ...] = (
    *UNSUPPORTED,
    *(
        Unsupported(name, "shorten texts that are too long", (False,), advice="send it to /rerank")
        for name in ("truncate", "max_tokens_per_doc")
    ),
)


@dataclass(frozen=True, slots=True)
class Query:
    """A query, and texts to score for it.

    Attributes:
        text: the query.
        documents: the texts.
        field: where the query is in the body.
        document_fields: where each text is.
        options: a request without texts: what holds for all of them.
    """

    text: str
    documents: Sequence[str]
    field: str
    document_fields: Sequence[str]
    options: RerankRequest

    def request(self, start: int, end: int) -> RerankRequest:
        """The request for some of the texts."""
        request = RerankRequest(query=self.text, documents=self.documents[start:end])
        request.MergeFrom(self.options)
        return request


@dataclass(frozen=True, slots=True)
class Scores:
    """What the core answered.

    Attributes:
        model: name of the model.
        values: one score for each text, in order.
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
