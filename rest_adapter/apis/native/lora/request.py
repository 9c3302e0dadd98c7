"""POST /lora-adapters: from the body to a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.fields import read_float, read_int, read_list, read_object, refusal
from rest_adapter.errors import INVALID_TYPE, MISSING, InvalidRequest
from rest_adapter.json.number_bounds import UINT32
from slotline.v1.lora_pb2 import LoraScale, SetLoraScalesRequest

if TYPE_CHECKING:
    from rest_adapter.errors import RpcFailure

_BODY = "body"


def read_scales(body: object) -> SetLoraScalesRequest:
    """The request for a body, which is an array.

    Raises:
        InvalidRequest: it is no array of objects with a number ``id`` and a number ``scale``. Whether there are such
            adapters is for the core to say.
    """
    items = read_list(_BODY, body, "objects with id and scale")
    return SetLoraScalesRequest(scales=[_read_scale(f"[{place}]", item) for place, item in enumerate(items)])


def _read_scale(place: str, item: object) -> LoraScale:
    fields = read_object(place, item)
    for name in ("id", "scale"):
        if fields.get(name) is None:
            raise InvalidRequest(f"{place}.{name}", "is missing", MISSING)
        if isinstance(fields[name], bool):
            raise refusal(f"{place}.{name}", fields[name], "a number", INVALID_TYPE)
    return LoraScale(
        id=read_int(f"{place}.id", fields["id"], UINT32), scale=read_float(f"{place}.scale", fields["scale"])
    )


def rename_fields(failure: RpcFailure) -> RpcFailure:
    """A failure with the names that fields have in the body."""
    return failure.renamed(lambda path: path.removeprefix("scales"), lambda text: text.replace("scales[", "["))
