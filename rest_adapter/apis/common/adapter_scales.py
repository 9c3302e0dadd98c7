"""Scales of LoRA adapters, of a request or for everybody: an array of objects with ``id`` and ``scale``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.fields import read_float, read_int, read_list, read_object, refusal
from rest_adapter.errors import INVALID_TYPE, MISSING, InvalidRequest
from rest_adapter.json.number_bounds import UINT32
from rest_adapter.openapi.schema_types import Schema, array, float32, integer, record
from slotline.v1.lora_pb2 import LoraScale

if TYPE_CHECKING:
    from slotline.v1.generation_pb2 import GenerateRequest


def read_own_scales(request: GenerateRequest, name: str, value: object) -> None:
    """The scales of a request. None at all mean those in force for everybody, as in llama.cpp's server."""
    scales = read_scales(name, value)
    if scales:
        request.lora.scales.extend(scales)


def read_scales(name: str, value: object, path: str | None = None) -> list[LoraScale]:
    """An array of scales.

    Args:
        name: of the array, for errors.
        value: the array.
        path: what stands in front of an item's number in errors, if that is not the name.

    Raises:
        InvalidRequest: it is no array of objects with a number ``id`` and a number ``scale``. Whether there are such
            adapters is for the core to say.
    """
    items = read_list(name, value, "objects with id and scale")
    prefix = name if path is None else path
    return [_read_scale(f"{prefix}[{place}]", item) for place, item in enumerate(items)]


def _read_scale(place: str, item: object) -> LoraScale:
    fields = read_object(place, item)
    for name in ("id", "scale"):
        if fields.get(name) is None:
            raise InvalidRequest(f"{place}.{name}", "is missing", MISSING)
        if isinstance(fields[name], bool):
            raise refusal(f"{place}.{name}", fields[name], "a number", INVALID_TYPE)
    if isinstance(fields["id"], float) and not fields["id"].is_integer():
        # Elsewhere fractions are cut off, as in 2024; here that would scale another adapter.
        raise refusal(f"{place}.id", fields["id"], f"an integer from 0 to {UINT32[1]}")
    return LoraScale(
        id=read_int(f"{place}.id", fields["id"], UINT32), scale=read_float(f"{place}.scale", fields["scale"])
    )


def scales_schema() -> Schema:
    """Such an array in OpenAPI."""
    return array(record({"id": integer((0, UINT32[1])), "scale": float32()}))
