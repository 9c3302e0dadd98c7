"""GET /health, /slots, /props, /metrics and /v1/models: read from the core's snapshot, never waiting for its engine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from flask import Response, request
from grpc import StatusCode

from rest_adapter.apis.native.health.reply.reply import FAILED, LOADING, STALLED, HealthAnswer, health_answer
from rest_adapter.apis.native.metrics.reply.reply import Reading, exposition
from rest_adapter.apis.native.props.reply.reply import props_json, server_json
from rest_adapter.apis.native.slots.reply.reply import slots_json
from rest_adapter.apis.openai.models.reply.reply import model_json, models_json, name_in_answers
from rest_adapter.core.calls import GET_METRICS, GET_MODEL, HEALTH, LIST_MODELS, LIST_SLOTS
from rest_adapter.errors import NotOffered, RpcFailure
from rest_adapter.http.responses import BARE_JSON, json_response, long_json_response
from rest_adapter.json.encoding import JsonObject, encode_in_pieces
from slotline.v1.model_pb2 import (
    SERVER_STATE_READY,
    GetMetricsRequest,
    GetModelRequest,
    HealthRequest,
    ListModelsRequest,
    ListSlotsRequest,
)

if TYPE_CHECKING:
    from rest_adapter.apis.serving.app_context import Site

# A core that does not answer within this time is as good as not there.
_TIMEOUT_S = 2.0
_METRICS_TYPE = "text/plain; version=0.0.4"


def health(site: Site) -> Response:
    """The state of the service in one of the documented forms."""
    answer = _health(site)
    return Response(answer.body, answer.status, content_type=BARE_JSON)


def slots(site: Site) -> Response:
    """What every slot does, unless that is switched off: whoever sent a prompt can read it there while it runs."""
    if not site.config.slots_endpoint:
        raise NotOffered("/slots: switched off by --slots-endpoint-disable")
    shown = _slots(site, shows_progress="progress" in request.args)
    # The prompts in it may be megabytes each.
    return long_json_response(site.writing.run(lambda: list(encode_in_pieces(shown))), content_type=BARE_JSON)


def props(site: Site) -> Response:
    """The default settings of generations, and the names of the system prompt."""
    model = site.core.unary(GET_MODEL, GetModelRequest(), timeout_s=_TIMEOUT_S).model
    properties = props_json(model, name=site.config.native_model or model.name)
    if "server" in request.args:
        properties |= server_json(model, metrics=site.config.metrics, slots=site.config.slots_endpoint)
    return json_response(properties)


def metrics(site: Site) -> Response:
    """The counters of the core and of this adapter; an answer begins a new window of averages unless told not to."""
    if not site.config.metrics:
        raise NotOffered("/metrics: off; start the server with --metrics")
    # Whoever only watches leaves the window to those who scrape.
    wanted = GetMetricsRequest(reset_window="keep_window" not in request.args)
    counters = site.core.unary(GET_METRICS, wanted, timeout_s=_TIMEOUT_S)
    text = exposition(Reading(counters, site.counts.by_labels(), site.gate.inside))
    return Response(text, content_type=_METRICS_TYPE)


def models(site: Site) -> Response:
    """The served models."""
    served = site.core.unary(LIST_MODELS, ListModelsRequest(), timeout_s=_TIMEOUT_S).models
    return json_response(models_json(served, now=int(time.time())))


def one_model(site: Site) -> Response:
    """The served model under the name in the path, which may hold slashes: any name that a chat may have."""
    name = (request.view_args or {})["name"]
    served = site.core.unary(GET_MODEL, GetModelRequest(), timeout_s=_TIMEOUT_S).model
    return json_response(model_json(name_in_answers(name) or served.name, now=int(time.time())))


def _health(site: Site) -> HealthAnswer:
    try:
        state = site.core.unary(HEALTH, HealthRequest(), timeout_s=_TIMEOUT_S)
        shown = None
        # Without a key, slots stay out of an answer that needs none.
        may_see_slots = site.config.slots_endpoint and site.keys.are_satisfied()
        wants_slots = "include_slots" in request.args and may_see_slots
        if wants_slots and state.state == SERVER_STATE_READY:
            shown = _slots(site)
    except RpcFailure as failure:
        if failure.status is StatusCode.UNAUTHENTICATED:
            # This does not pass by itself.
            return FAILED
        if failure.status is StatusCode.DEADLINE_EXCEEDED:
            # It is there and does not answer.
            return STALLED
        # Not there yet, or not there any more: the supervisor is starting it.
        return LOADING
    return health_answer(state, fails_without_slot="fail_on_no_slot" in request.args, slots=shown)


def _slots(site: Site, *, shows_progress: bool = False) -> list[JsonObject]:
    tenant = site.keys.tenant()
    listed = site.core.unary(LIST_SLOTS, ListSlotsRequest(), timeout_s=_TIMEOUT_S, tenant=tenant).slots
    name = site.config.native_model
    if name is None:
        served = site.core.unary(LIST_MODELS, ListModelsRequest(), timeout_s=_TIMEOUT_S).models
        name = served[0].name if served else ""
    return slots_json(listed, model=name, shows_progress=shows_progress)
