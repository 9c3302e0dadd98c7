"""The description of one route. Each API has its own in ``schema``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rest_adapter.openapi.schema_types import Schema

GENERATION, EMBEDDING, RANKING, TOKENS, STATE = "generation", "embeddings", "ranking", "tokens", "state"
TAGS: Mapping[str, str] = {
    GENERATION: "Texts made by the model.",
    EMBEDDING: "Texts as vectors. The server needs --embedding, or a model that can do nothing else.",
    RANKING: "Texts by their relevance to a query, by a model that scores pairs of texts.",
    TOKENS: "Texts as tokens, and back.",
    STATE: "What the server is and does.",
}

#: What the adapter itself and a core that is not there can answer anywhere but for /health and the pages.
COMMON_ERRORS = (401, 421, 500, 503, 504)
#: And what routes that read a body, ...
BODY_ERRORS = (400, 403, 413, *COMMON_ERRORS)
#: ... or make the model compute can answer.
MODEL_ERRORS = (429, 501, *BODY_ERRORS)


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One route. Equal to itself alone, so that it can be hashed: it holds dictionaries.

    Attributes:
        tag: one of ``TAGS``.
        summary: a few words.
        description: some sentences.
        answers: content by media type, for each status that is no common error.
        schemas: what the document shall have by name, because the answers refer to it.
        errors: statuses with an error object.
        body: makes the schema of the body, None without a body.
        query: query parameters that count when they are there, and what they do.
        variable: the variable parts of the path, and what they are.
        parameters: schemas of those parameters that cannot be any string. One of the query is required then.
        headers: request headers that count, and their schemas.
    """

    tag: str
    summary: str
    description: str
    answers: Mapping[int, Mapping[str, Schema]]
    schemas: Mapping[str, Schema] = field(default_factory=dict)
    errors: tuple[int, ...] = ()
    body: Callable[[], Schema] | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    variable: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Schema] = field(default_factory=dict)
    headers: Mapping[str, Schema] = field(default_factory=dict)
