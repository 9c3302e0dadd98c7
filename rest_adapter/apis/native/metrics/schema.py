"""GET /metrics in OpenAPI."""

from __future__ import annotations

from rest_adapter.openapi.operation import COMMON_ERRORS, STATE, Operation
from rest_adapter.openapi.schema_types import STRING

METRICS = Operation(
    STATE,
    "Metrics for Prometheus",
    "Only if the server was started with --metrics; otherwise 404, or 501 in the shape of today. The averages are "
    "those since the last answer. Which metrics of llama.cpp's server come first is up to the shape.",
    {200: {"text/plain": STRING}},
    errors=(404, 501, *COMMON_ERRORS),
    query={"keep_window": "With this, whatever its value, the averages go on as if nobody had asked."},
)
