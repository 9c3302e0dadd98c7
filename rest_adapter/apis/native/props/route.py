"""GET /props."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import request

from rest_adapter.apis.native.props.reply import props_json, server_json
from rest_adapter.apis.serving.limits import STATE_TIMEOUT_S
from rest_adapter.core.calls import GET_MODEL
from rest_adapter.http.responses import json_response
from slotline.v1.model_pb2 import GetModelRequest

if TYPE_CHECKING:
    from rest_adapter.apis.serving.app_context import AppContext
    from rest_adapter.http.responses import Answer


def props(context: AppContext) -> Answer:
    """The default settings of generations, and the names of the system prompt."""
    model = context.core.unary(GET_MODEL, GetModelRequest(), timeout_s=STATE_TIMEOUT_S).model
    properties = props_json(model, name=context.config.native_model or model.name)
    if "server" in request.args:
        properties |= server_json(model, metrics=context.config.metrics, slots=context.config.slots_endpoint)
    return json_response(properties)
