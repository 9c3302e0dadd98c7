"""GET /health."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import request
from grpc import StatusCode

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.native.health import reply_2024, reply_now
from rest_adapter.apis.native.slots.route import listed_slots
from rest_adapter.apis.serving.limits import STATE_TIMEOUT_S
from rest_adapter.core.calls import HEALTH
from rest_adapter.errors import RpcFailure
from rest_adapter.http.media_types import JSON
from rest_adapter.http.responses import Answer, bytes_response
from slotline.v1.model_pb2 import SERVER_STATE_READY, HealthRequest

if TYPE_CHECKING:
    from rest_adapter.apis.native.health.answer import HealthAnswer
    from rest_adapter.apis.serving.app_context import AppContext


def health(context: AppContext) -> Answer:
    """The state of the core."""
    answer = _health(context)
    return bytes_response(answer.body, status=answer.status, content_type=JSON)


def _health(context: AppContext) -> HealthAnswer:
    reply = reply_now.REPLY if context.shape is ApiShape.NOW else reply_2024.REPLY
    try:
        state = context.core.unary(HEALTH, HealthRequest(), timeout_s=STATE_TIMEOUT_S)
        shown = None
        # The route needs no key, but the slots do.
        may_see_slots = context.config.slots_endpoint and context.keys.are_satisfied()
        wants_slots = "include_slots" in request.args and may_see_slots
        if wants_slots and state.state == SERVER_STATE_READY:
            shown = listed_slots(context)
    except RpcFailure as failure:
        if failure.status is StatusCode.UNAUTHENTICATED:
            # The adapter has the wrong key, and waiting will not help.
            return reply.failed
        if failure.status is StatusCode.DEADLINE_EXCEEDED:
            # The core is there, but does not answer.
            return reply.stalled
        # The core has not started yet, or has ended and is being restarted.
        return reply.loading
    return reply.answer(state, fails_without_slot="fail_on_no_slot" in request.args, slots=shown)
