"""GET /v1/models, and one of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from flask import request

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.common.model_name import name_in_answers
from rest_adapter.apis.openai.models import reply_2024, reply_now
from rest_adapter.apis.serving.limits import STATE_TIMEOUT_S
from rest_adapter.core.calls import GET_MODEL, LIST_MODELS
from rest_adapter.http.responses import json_response
from slotline.v1.model_pb2 import GetModelRequest, ListModelsRequest

if TYPE_CHECKING:
    from rest_adapter.apis.serving.app_context import AppContext
    from rest_adapter.http.responses import Answer


def models(context: AppContext) -> Answer:
    """The list of served models."""
    served = context.core.unary(LIST_MODELS, ListModelsRequest(), timeout_s=STATE_TIMEOUT_S).models
    reply = reply_now if context.shape is ApiShape.NOW else reply_2024
    return json_response(reply.models_json(served, now=int(time.time())))


def one_model(context: AppContext) -> Answer:
    """The served model under the name in the path, which may hold slashes. Every name is accepted, as in chats."""
    name = (request.view_args or {})["name"]
    served = context.core.unary(GET_MODEL, GetModelRequest(), timeout_s=STATE_TIMEOUT_S).model
    reply = reply_now if context.shape is ApiShape.NOW else reply_2024
    return json_response(reply.model_json(served, name_in_answers(name) or served.name, now=int(time.time())))
