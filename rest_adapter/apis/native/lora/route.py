"""GET and POST /lora-adapters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.native.lora.reply import adapters_json
from rest_adapter.apis.native.lora.request import read_scales_for_everybody, rename_fields
from rest_adapter.apis.serving.limits import STATE_TIMEOUT_S
from rest_adapter.apis.serving.reading import read_any_body
from rest_adapter.core.calls import LIST_LORA_ADAPTERS, SET_LORA_SCALES
from rest_adapter.errors import RpcFailure
from rest_adapter.http.responses import Answer, json_response
from slotline.v1.lora_pb2 import ListLoraAdaptersRequest

if TYPE_CHECKING:
    from rest_adapter.apis.serving.app_context import AppContext

#: Seconds. Scales are in force when the engine has read its inbox, which a step of a long prompt may delay.
_TIMEOUT_S = 30.0


def lora_adapters(context: AppContext) -> Answer:
    """The adapters of the model."""
    listed = context.core.unary(LIST_LORA_ADAPTERS, ListLoraAdaptersRequest(), timeout_s=STATE_TIMEOUT_S)
    return json_response(adapters_json(listed.adapters))


def set_lora_scales(context: AppContext) -> Answer:
    """Change their scales."""
    asked = read_any_body(context, read_scales_for_everybody)
    try:
        context.core.unary(SET_LORA_SCALES, asked, timeout_s=_TIMEOUT_S)
    except RpcFailure as failure:
        raise rename_fields(failure) from failure
    return json_response({"success": True})
