"""GET /lora-adapters: the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rest_adapter.json.encoding import JsonObject
    from slotline.v1.lora_pb2 import LoraAdapter


def adapters_json(adapters: Iterable[LoraAdapter]) -> list[JsonObject]:
    """The array of adapters."""
    return [
        {
            "id": adapter.id,
            "path": adapter.path,
            "scale": adapter.scale,
            "task_name": adapter.task_name,
            "prompt_prefix": adapter.prompt_prefix,
        }
        for adapter in adapters
    ]
