"""LoRA adapters and their scales: messages to values and back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from service.errors import InvalidArgument, NotSupported
from slotline.protocol.reasons import CONFIG_FIELDS
from slotline.v1 import lora_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from service.engine.language_model import ModelInfo


def adapter_messages(info: ModelInfo, scales: Sequence[float]) -> list[lora_pb2.LoraAdapter]:
    """The adapters of a model with the scales in force."""
    return [
        lora_pb2.LoraAdapter(
            id=number,
            path=adapter.path,
            scale=scale,
            task_name=adapter.task_name,
            prompt_prefix=adapter.prompt_prefix,
        )
        for number, (adapter, scale) in enumerate(zip(info.adapters, scales, strict=True))
    ]


def scales_message(scales: Sequence[float]) -> lora_pb2.LoraScales:
    """The scales of all adapters, one for each."""
    return lora_pb2.LoraScales(
        scales=[lora_pb2.LoraScale(id=number, scale=scale) for number, scale in enumerate(scales)]
    )


def adapter_scales(named: Iterable[lora_pb2.LoraScale], info: ModelInfo, path: str = "") -> tuple[float, ...]:
    """A scale for each adapter of a model; 0 for those that are not named.

    Args:
        named: the scales of some.
        info: facts about the model.
        path: of the field that has them, with a dot behind it; empty for the request itself.

    Raises:
        NotSupported: some are named, and the model has none.
        InvalidArgument: there is no such adapter, it is named twice, or its scale is not allowed.
    """
    scales = [0.0] * len(info.adapters)
    places: dict[int, int] = {}
    for place, one in enumerate(named):
        field = f"{path}scales[{place}]"
        if not scales:
            where = f"{field}.id: " if path else ""
            raise NotSupported(
                f"{where}this model has no LoRA adapters; start the server with `lora`",
                metadata={CONFIG_FIELDS: "lora"},
            )
        if one.id >= len(scales):
            raise InvalidArgument(f"{field}.id", f"is {one.id}; allowed: 0 to {len(scales) - 1}")
        if one.id in places:
            raise InvalidArgument(f"{field}.id", f"is {one.id}, which {_place(places[one.id], path)} names already")
        most = info.adapters[one.id].max_scale
        if not math.isfinite(one.scale) or abs(one.scale) > most:
            raise InvalidArgument(f"{field}.scale", f"is {one.scale:g}; allowed: {-most:g} to {most:g}")
        places[one.id] = place
        # -0 is 0: equal scales must look equal.
        scales[one.id] = one.scale + 0.0
    return tuple(scales)


def _place(number: int, path: str) -> str:
    """The entry of that number in the words of an error; bodies call the field of a request by another path."""
    return f"entry {number}" if path else f"scales[{number}]"
