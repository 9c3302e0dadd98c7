"""GET /metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import request

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.native.metrics.metric import Reading
from rest_adapter.apis.native.metrics.reply import exposition
from rest_adapter.apis.serving.limits import STATE_TIMEOUT_S
from rest_adapter.core.calls import GET_METRICS
from rest_adapter.http.responses import Answer, bytes_response
from slotline.v1.model_pb2 import GetMetricsRequest

if TYPE_CHECKING:
    from rest_adapter.apis.serving.app_context import AppContext

_CONTENT_TYPE = "text/plain; version=0.0.4"
#: Tells a scraper that counters begin anew: when the core started, in seconds since 1970.
_STARTED = "Process-Start-Time-Unix"


def metrics(context: AppContext) -> Answer:
    """The metrics of the core and of this adapter. Each scrape begins a new window of averages."""
    if not context.config.metrics:
        raise context.not_offered("/metrics: off; start the server with --metrics")
    # Viewers send keep_window, so that the window belongs to the scraper.
    wanted = GetMetricsRequest(reset_window="keep_window" not in request.args)
    counters = context.core.unary(GET_METRICS, wanted, timeout_s=STATE_TIMEOUT_S)
    reading = Reading(counters, context.counts.by_labels(), context.limiter.in_flight)
    answer = bytes_response(exposition(reading, context.shape).encode(), content_type=_CONTENT_TYPE)
    if context.shape is ApiShape.NOW:
        answer.headers.append((_STARTED, str(counters.started_unix_s)))
    return answer
