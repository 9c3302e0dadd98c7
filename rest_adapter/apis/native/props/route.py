"""GET and POST /props."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import request

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.common.api_defaults import set_shape_defaults
from rest_adapter.apis.native.props import reply_2024, reply_now
from rest_adapter.apis.native.props.request import check_props
from rest_adapter.apis.serving.limits import STATE_TIMEOUT_S
from rest_adapter.apis.serving.reading import read_body
from rest_adapter.core.calls import GET_MODEL
from rest_adapter.errors import NotOffered
from rest_adapter.http.responses import json_response
from slotline.v1.model_pb2 import GetModelRequest

if TYPE_CHECKING:
    from rest_adapter.apis.serving.app_context import AppContext
    from rest_adapter.http.responses import Answer


def props(context: AppContext) -> Answer:
    """The default settings of generations, and what the server and its model are."""
    config = context.config
    wanted = GetModelRequest()
    set_shape_defaults(wanted.sampling_defaults, context.shape)
    model = context.core.unary(GET_MODEL, wanted, timeout_s=STATE_TIMEOUT_S).model
    if context.shape is ApiShape.NOW:
        properties = reply_now.props_json(model, config)
    else:
        properties = reply_2024.props_json(model, name=config.native_model or model.name)
    if "server" in request.args:
        properties |= reply_2024.server_json(model, metrics=config.metrics, slots=config.slots_endpoint)
    return json_response(properties)


def set_props(context: AppContext) -> Answer:
    """Change properties of the server, of which there are none that could be changed."""
    if not context.config.props_endpoint:
        raise NotOffered("/props: changes are off; start the server with --props", is_missing=False)
    read_body(context, check_props)
    return json_response({"success": True})
