"""GET /v1/models in the shape of today: the served models with facts about each.

llama.cpp's server has a second list, ``models``, in Ollama's form. It is not here: Codex takes a list of that name for
one of its own, and does without models then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.openai.models.reply_2024 import OWNER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rest_adapter.json.encoding import JsonObject
    from slotline.v1.model_pb2 import Model


def models_json(models: Iterable[Model], *, now: int) -> JsonObject:
    """The list of models. ``now``, Unix time in seconds, is their ``created``, as in llama.cpp's server."""
    return {"object": "list", "data": [model_json(model, model.name, now=now) for model in models]}


def model_json(model: Model, name: str, *, now: int) -> JsonObject:
    """One model, as in the list, under the name that the client knows."""
    return {
        "id": name,
        "aliases": _aliases(model),
        "tags": list(model.tags),
        "object": "model",
        "created": now,
        "owned_by": OWNER,
        "meta": {
            "vocab_type": model.vocabulary_type,
            "n_vocab": model.vocab_size,
            "n_ctx": model.context_length,
            "n_ctx_train": model.training_context_length,
            "n_embd": model.embedding_dim,
            "n_params": model.n_params,
            "size": model.size_bytes,
            "ftype": model.file_type,
        },
    }


def _aliases(model: Model) -> list[str]:
    """The names that the server was started with, that of the model included; none if it is called after its file."""
    others = [alias for alias in model.aliases if alias != model.file_name]
    is_named = bool(others) or not model.file_name.startswith(model.name)
    return [model.name, *others] if is_named else []
