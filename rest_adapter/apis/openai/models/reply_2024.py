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
    return {"data": [model_json(model, model.name, now=now) for model in models], "object": "list"}


def model_json(model: Model, name: str, *, now: int) -> JsonObject:
    """One model, as in the list, under the name that the client knows. What it takes is told if it is not only text."""
    told: JsonObject = {"created": now, "id": name, "object": "model", "owned_by": OWNER}
    if model.capabilities.vision:
        told["architecture"] = {"input_modalities": ["text", "image"], "output_modalities": ["text"]}
    return told
