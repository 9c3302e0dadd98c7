"""Scales of LoRA adapters, of a request or for everybody."""

from __future__ import annotations

from slotline.client import checks
from slotline.v1 import lora_pb2


def lora_scales(name: str, value: object) -> list[lora_pb2.LoraScale]:
    """A mapping of numbers of adapters to their scales as messages.

    Raises:
        TypeError: numbers of adapters, or scales, of another type.
        ValueError: numbers that no adapter has.
    """
    named = checks.mapping(name, value, "a mapping of numbers of adapters to their scales")
    return [
        lora_pb2.LoraScale(
            id=checks.integer(name, number, checks.UINT32), scale=checks.number(f"{name}[{number}]", scale)
        )
        for number, scale in named.items()
    ]
