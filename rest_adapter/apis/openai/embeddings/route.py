"""POST /v1/embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.openai.embeddings.reply import openai_embedding_parts
from rest_adapter.apis.openai.embeddings.request import read_openai_embeddings
from rest_adapter.apis.serving.embedder import answer_embedding
from rest_adapter.apis.serving.reading import read_body

if TYPE_CHECKING:
    from rest_adapter.apis.serving.app_context import AppContext
    from rest_adapter.http.responses import Answer


def embed_openai(context: AppContext) -> Answer:
    """The vectors of one or several texts."""
    call = read_body(context, read_openai_embeddings, takes_pictures=True)
    return answer_embedding(context, call, openai_embedding_parts)
