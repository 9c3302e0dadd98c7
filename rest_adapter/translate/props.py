"""GET /props: the default settings, the number of slots, and the names of the system prompt."""

from __future__ import annotations

from rest_adapter.translate.jsontext import JsonObject
from rest_adapter.translate.settings import generation_settings
from slotline.v1.model_pb2 import Model

# Shown for a seed that each request gets anew.
_RANDOM_SEED = -1


def props_json(model: Model) -> JsonObject:
    """The properties of a core that serves one model."""
    defaults = generation_settings(model.default_settings, model=model.name, is_stream=True)
    return {
        "assistant_name": model.system_prompt.assistant_name,
        "default_generation_settings": defaults | {"seed": _RANDOM_SEED},
        "total_slots": model.n_slots,
        "user_name": model.system_prompt.anti_prompt,
    }
