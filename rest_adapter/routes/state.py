"""GET /health, /slots and /v1/models: read from the core's snapshot, never waiting for its engine."""

from __future__ import annotations

import time

from flask import Response, request

from rest_adapter.core import HEALTH, LIST_MODELS, LIST_SLOTS
from rest_adapter.errors import RpcFailure
from rest_adapter.responses import BARE_JSON, json_response
from rest_adapter.routes.site import Site
from rest_adapter.translate.health import LOADING, HealthAnswer, health_answer
from rest_adapter.translate.jsontext import JsonObject
from rest_adapter.translate.models import models_json
from rest_adapter.translate.slots import slots_json
from slotline.v1.model_pb2 import SERVER_STATE_READY, HealthRequest, ListModelsRequest, ListSlotsRequest

# A core that does not answer within this time is as good as not there.
_TIMEOUT_S = 2.0


def health(site: Site) -> Response:
    """The state of the service in one of the four documented forms."""
    answer = _health(site)
    return Response(answer.body, answer.status, content_type=BARE_JSON)


def slots(site: Site) -> Response:
    """What every slot does."""
    return json_response(_slots(site), content_type=BARE_JSON)


def models(site: Site) -> Response:
    """The served models."""
    served = site.core.unary(LIST_MODELS, ListModelsRequest(), timeout_s=_TIMEOUT_S).models
    return json_response(models_json(served, now=int(time.time())))


def _health(site: Site) -> HealthAnswer:
    try:
        state = site.core.unary(HEALTH, HealthRequest(), timeout_s=_TIMEOUT_S)
        shown = None
        if "include_slots" in request.args and state.state == SERVER_STATE_READY:
            shown = _slots(site)
    except RpcFailure:
        # Not there yet, or not there any more: the supervisor is starting it.
        return LOADING
    return health_answer(state, fails_without_slot="fail_on_no_slot" in request.args, slots=shown)


def _slots(site: Site) -> list[JsonObject]:
    listed = site.core.unary(LIST_SLOTS, ListSlotsRequest(), timeout_s=_TIMEOUT_S).slots
    served = site.core.unary(LIST_MODELS, ListModelsRequest(), timeout_s=_TIMEOUT_S).models
    return slots_json(listed, model=served[0].name if served else "")
