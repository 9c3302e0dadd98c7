"""POST /embedding."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.native.embedding.reply import embedding_parts, embedding_parts_now
from rest_adapter.apis.native.embedding.request import read_embedding
from rest_adapter.apis.serving.embedder import answer_embedding
from rest_adapter.apis.serving.reading import read_body

if TYPE_CHECKING:
    from rest_adapter.apis.serving.app_context import AppContext
    from rest_adapter.http.responses import Answer


def embed(context: AppContext) -> Answer:
    """The vectors of one or several texts."""
    parts = embedding_parts_now if context.shape is ApiShape.NOW else embedding_parts
    read = partial(read_embedding, usual_norm=context.config.embd_normalize)
    return answer_embedding(context, read_body(context, read, takes_pictures=True), parts)
