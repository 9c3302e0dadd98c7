"""POST /lora-adapters: from the body to a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.adapter_scales import read_scales
from slotline.v1.lora_pb2 import SetLoraScalesRequest

if TYPE_CHECKING:
    from rest_adapter.errors import RpcFailure

_BODY = "body"


def read_scales_for_everybody(body: object) -> SetLoraScalesRequest:
    """The request for a body, which is an array.

    Raises:
        InvalidRequest: as ``read_scales``.
    """
    return SetLoraScalesRequest(scales=read_scales(_BODY, body, path=""))


def rename_fields(failure: RpcFailure) -> RpcFailure:
    """A failure with the names that fields have in the body."""
    return failure.renamed(lambda path: path.removeprefix("scales"), lambda text: text.replace("scales[", "["))
