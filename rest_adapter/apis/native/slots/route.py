"""GET /slots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import request

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.native.slots import reply_2024, reply_now
from rest_adapter.apis.serving.limits import STATE_TIMEOUT_S
from rest_adapter.core.calls import LIST_MODELS, LIST_SLOTS
from rest_adapter.errors import NoSlot
from rest_adapter.http.media_types import JSON
from rest_adapter.http.responses import long_json_response
from rest_adapter.json.encoding import JsonObject, encode_in_pieces
from slotline.v1.model_pb2 import ListModelsRequest, ListSlotsRequest, Model

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rest_adapter.apis.serving.app_context import AppContext
    from rest_adapter.http.responses import Answer
    from slotline.v1.model_pb2 import Slot


def slots(context: AppContext) -> Answer:
    """What every slot does, in the shape of 2024 with the prompts of the requests that run."""
    if not context.config.slots_endpoint:
        raise context.not_offered("/slots: switched off by --no-slots or --slots-endpoint-disable")
    shown = listed_slots(context, shows_progress="progress" in request.args)
    # The prompts in it may be megabytes each.
    return long_json_response(context.writing.run(lambda: list(encode_in_pieces(shown))), content_type=JSON)


def listed_slots(context: AppContext, *, shows_progress: bool = False) -> list[JsonObject]:
    """The array of GET /slots, as the tenant of the current request may see it.

    Args:
        context: what the routes share.
        shows_progress: count the tokens of prompts; in the shape of today they always are.

    Raises:
        NoSlot: no slot is idle, and the request is to fail then.
        RpcFailure: the core refused or failed.
    """
    if context.shape is ApiShape.NOW:
        return _listed_now(context)
    listed = _listed(context)
    name = context.config.native_model or _served(context).name
    return reply_2024.slots_json(listed, model=name, shows_progress=shows_progress)


def _listed_now(context: AppContext) -> list[JsonObject]:
    shown = reply_now.slots_json(_listed(context), speculates=_served(context).capabilities.speculation)
    if request.args.get("fail_on_no_slot") and not any(map(reply_now.is_idle, shown)):
        raise NoSlot
    return shown


def _listed(context: AppContext) -> Iterable[Slot]:
    tenant = context.keys.tenant()
    return context.core.unary(LIST_SLOTS, ListSlotsRequest(), timeout_s=STATE_TIMEOUT_S, tenant=tenant).slots


def _served(context: AppContext) -> Model:
    served = context.core.unary(LIST_MODELS, ListModelsRequest(), timeout_s=STATE_TIMEOUT_S).models
    return served[0] if served else Model()
