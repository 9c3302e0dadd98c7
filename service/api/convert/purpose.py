"""What models do that generate no text, for errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.config import Pooling

if TYPE_CHECKING:
    from service.engine.language_model import ModelInfo


def told_purpose(info: ModelInfo) -> str:
    """A sentence about a model that generates no text, to be read behind what it cannot do."""
    if info.pooling is Pooling.RANK:
        return "it scores pairs of texts only"
    return "it turns texts into embeddings only"
