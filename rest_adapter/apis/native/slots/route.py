"""GET /slots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import request

from rest_adapter.apis.native.slots.reply import slots_json
from rest_adapter.apis.serving.limits import STATE_TIMEOUT_S
from rest_adapter.core.calls import LIST_MODELS, LIST_SLOTS
from rest_adapter.errors import NotOffered
from rest_adapter.http.media_types import JSON
from rest_adapter.http.responses import long_json_response
from rest_adapter.json.encoding import JsonObject, encode_in_pieces
from slotline.v1.model_pb2 import ListModelsRequest, ListSlotsRequest

if TYPE_CHECKING:
    from rest_adapter.apis.serving.app_context import AppContext
    from rest_adapter.http.responses import Answer


def slots(context: AppContext) -> Answer:
    """What every slot does, with the prompts of the requests that run."""
    if not context.config.slots_endpoint:
        raise NotOffered("/slots: switched off by --slots-endpoint-disable")
    shown = listed_slots(context, shows_progress="progress" in request.args)
    # The prompts in it may be megabytes each.
    return long_json_response(context.writing.run(lambda: list(encode_in_pieces(shown))), content_type=JSON)


def listed_slots(context: AppContext, *, shows_progress: bool = False) -> list[JsonObject]:
    """The array of GET /slots, as the tenant of the current request may see it.

    Raises:
        RpcFailure: the core refused or failed.
    """
    tenant = context.keys.tenant()
    listed = context.core.unary(LIST_SLOTS, ListSlotsRequest(), timeout_s=STATE_TIMEOUT_S, tenant=tenant).slots
    name = context.config.native_model
    if name is None:
        served = context.core.unary(LIST_MODELS, ListModelsRequest(), timeout_s=STATE_TIMEOUT_S).models
        name = served[0].name if served else ""
    return slots_json(listed, model=name, shows_progress=shows_progress)
