"""What the cells of a slot's file depend on, in words: the model, and the scales of LoRA adapters."""

from __future__ import annotations

import ctypes
import math
import re
from typing import TYPE_CHECKING

from service.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.engine.language_model import ModelInfo

#: Digits of an adapter's digest that a file has.
_DIGITS = 16
#: Digits of a scale that tell every float32 from all others.
_PRECISION = 9
_ADAPTER = re.compile(r", LoRA (\w+) x (\S+?)(?=, LoRA |$)")


def format_of(info: ModelInfo, scales: Sequence[float]) -> str:
    """The words for cells that a model has evaluated with such scales, one for each of its adapters.

    Adapters are named by a digest of their files, so that their order does not matter; those with the scale 0 are not.
    """
    adapters = sorted(
        f", LoRA {adapter.digest[:_DIGITS]} x {scale:.{_PRECISION}g}"
        for adapter, scale in zip(info.adapters, scales, strict=True)
        if scale
    )
    return info.sequence_format + "".join(adapters)


def scales_of(text: str, info: ModelInfo) -> tuple[float, ...]:
    """The scales with which cells were evaluated, one for each adapter of the model.

    Args:
        text: what ``format_of`` gave, maybe on another server.
        info: facts about the model that is to take the cells.

    Raises:
        InvalidArgument: they are for another model, or for an adapter that this one does not have.
    """
    needed = info.sequence_format
    adapters = text.removeprefix(needed)
    if not text.startswith(needed) or _ADAPTER.sub("", adapters):
        raise InvalidArgument("filename", f"names a file for {text}; this server needs one for {needed}")
    scales = [0.0] * len(info.adapters)
    for digest, scale_text in _ADAPTER.findall(adapters):
        ids = [
            number for number, one in enumerate(info.adapters) if one.digest[:_DIGITS] == digest and not scales[number]
        ]
        scale = _scale(scale_text)
        if not ids or not abs(scale) <= info.adapters[ids[0]].max_scale:
            raise InvalidArgument(
                "filename",
                f"names a file for the LoRA adapter {digest} with the scale {scale_text}, which this server has not",
            )
        scales[ids[0]] = scale
    return tuple(scales)


def _scale(text: str) -> float:
    """A scale as the library has it; not a number if the text is none."""
    try:
        return ctypes.c_float(float(text)).value
    except ValueError:
        return math.nan
