"""GET /metrics: this adapter's metrics, one declaration each, in front of the core's.

Those of llama.cpp's server come first, as its shape has them. ``tools/document_metrics.py`` writes tables of
``docs/metrics.md`` from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.native.metrics import metrics_2024, metrics_now
from rest_adapter.apis.native.metrics.metric import Metric

if TYPE_CHECKING:
    from rest_adapter.apis.native.metrics.metric import Reading

#: What llama.cpp's server has, by shape.
LLAMA_METRICS = {ApiShape.OF_2024: metrics_2024.METRICS, ApiShape.NOW: metrics_now.METRICS}

#: The adapter's own.
OWN_METRICS = (
    Metric(
        name="slotline_rest_responses_total",
        type="counter",
        unit="responses",
        read=lambda now: now.responses,
        help="HTTP responses by route and status.",
        labels=("method", "route", "status"),
    ),
    Metric(
        name="slotline_rest_requests_running",
        type="gauge",
        unit="requests",
        read=lambda now: now.running,
        help="Generations and embeddings that run or wait.",
    ),
)


def exposition(reading: Reading, shape: ApiShape) -> str:
    """The adapter's metrics and the core's in the Prometheus text format."""
    metrics = (*LLAMA_METRICS[shape], *OWN_METRICS)
    own = "".join(line for metric in metrics for line in metric.lines(reading))
    core = reading.core.exposition
    return own + (core if core.endswith("\n") or not core else core + "\n")
