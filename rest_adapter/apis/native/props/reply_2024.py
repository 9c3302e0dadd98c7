"""GET /props: default settings, number of slots, names of the system prompt, and facts about the server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rest_adapter.apis.common.settings import generation_settings
from rest_adapter.version import slotline_version

if TYPE_CHECKING:
    from rest_adapter.json.encoding import JsonObject
    from slotline.v1.model_pb2 import ChatFormat, Model

#: Shown for the default seed, which is a new one for each request.
_RANDOM_SEED = -1


def props_json(model: Model, *, name: str) -> JsonObject:
    """The properties of a core that serves one model, which is called by ``name``.

    Only a model that takes pictures has modalities there: without one, the answer is that of the server of 2024.
    """
    defaults = generation_settings(model.default_settings, model=name, is_stream=True)
    properties: JsonObject = {
        "assistant_name": model.system_prompt.assistant_name,
        "default_generation_settings": defaults | {"seed": _RANDOM_SEED},
        "total_slots": model.n_slots,
        "user_name": model.system_prompt.anti_prompt,
    }
    if model.HasField("images"):
        properties["modalities"] = _modalities(model)
    return properties


def server_json(model: Model, *, metrics: bool, slots: bool) -> JsonObject:
    """Facts about the server for clients that show them, under the names of llama.cpp's server of today.

    Args:
        model: what is served.
        metrics: whether GET /metrics is offered.
        slots: whether GET /slots is offered.
    """
    shown: JsonObject = {"chat_format": _chat_format(model.chat_format)} if model.HasField("chat_format") else {}
    return shown | {
        "build_info": f"slotline {slotline_version()}",
        "endpoint_metrics": metrics,
        "endpoint_slots": slots,
        "modalities": _modalities(model),
        "n_ctx_train": model.training_context_length,
    }


def _modalities(model: Model) -> JsonObject:
    """What prompts may hold beside text. There is no audio."""
    return {"audio": False, "vision": model.capabilities.vision}


def _chat_format(chat_format: ChatFormat) -> JsonObject:
    """How answers to conversations are written, with the whole description for people and for ``--tool-format``."""
    return {
        "tool_format": chat_format.tool_format,
        "tool_source": chat_format.tool_source,
        "reasoning_open": chat_format.reasoning_open,
        "reasoning_close": chat_format.reasoning_close,
        "reasoning_switches": list(chat_format.reasoning_switches),
        "description": json.loads(chat_format.description_json or "{}"),
    }
