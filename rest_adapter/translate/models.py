"""GET /v1/models, and one of them: the served models in the OpenAI form."""

from __future__ import annotations

from collections.abc import Iterable

from rest_adapter.translate.jsontext import JsonObject
from slotline.v1.model_pb2 import Model

OWNER = "llamacpp"


def models_json(models: Iterable[Model], *, now: int) -> JsonObject:
    """The list of models. ``now``, Unix time in seconds, stands for their creation as it always has."""
    return {"data": [model_json(model, now=now) for model in models], "object": "list"}


def model_json(model: Model, *, now: int) -> JsonObject:
    """One model, as in the list."""
    return {"created": now, "id": model.name, "object": "model", "owned_by": OWNER}
