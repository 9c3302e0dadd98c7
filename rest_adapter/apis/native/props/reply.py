"""GET /props: default settings, number of slots, names of the system prompt, and facts about the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.settings import generation_settings
from rest_adapter.version import slotline_version

if TYPE_CHECKING:
    from rest_adapter.json.encoding import JsonObject
    from slotline.v1.model_pb2 import Model

#: Shown for the default seed, which is a new one for each request.
_RANDOM_SEED = -1


def props_json(model: Model, *, name: str) -> JsonObject:
    """The properties of a core that serves one model, which is called by ``name``."""
    defaults = generation_settings(model.default_settings, model=name, is_stream=True)
    return {
        "assistant_name": model.system_prompt.assistant_name,
        "default_generation_settings": defaults | {"seed": _RANDOM_SEED},
        "total_slots": model.n_slots,
        "user_name": model.system_prompt.anti_prompt,
    }


def server_json(model: Model, *, metrics: bool, slots: bool) -> JsonObject:
    """Facts about the server for clients that show them, under the names of llama.cpp's server of today.

    Args:
        model: what is served.
        metrics: whether GET /metrics is offered.
        slots: whether GET /slots is offered.
    """
    return {
        "build_info": f"slotline {slotline_version()}",
        "endpoint_metrics": metrics,
        "endpoint_slots": slots,
        "modalities": {"vision": model.capabilities.vision},
        "n_ctx_train": model.training_context_length,
    }
