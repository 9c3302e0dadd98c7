"""GET /v1/models, and one of them: the served models."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rest_adapter.json.encoding import JsonObject
    from slotline.v1.model_pb2 import Model

OWNER = "llamacpp"


def models_json(models: Iterable[Model], *, now: int) -> JsonObject:
    """The list of models. ``now``, Unix time in seconds, is their ``created``, as in llama.cpp's server."""
    return {"data": [model_json(model.name, now=now) for model in models], "object": "list"}


def model_json(name: str, *, now: int) -> JsonObject:
    """One model, as in the list."""
    return {"created": now, "id": name, "object": "model", "owned_by": OWNER}
