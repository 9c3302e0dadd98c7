"""GET /metrics: the documented eight metrics of the core, in their order and number format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from slotline.v1.model_pb2 import GetMetricsResponse


@dataclass(frozen=True, slots=True)
class _Metric:
    name: str
    kind: str
    help: str
    value: int | float


def metrics_text(metrics: GetMetricsResponse) -> str:
    """The documented metrics in the Prometheus text format. Rates and ratios always have a decimal point."""
    return "".join(
        f"# HELP llamacpp:{metric.name} {metric.help}\n"
        f"# TYPE llamacpp:{metric.name} {metric.kind}\n"
        f"llamacpp:{metric.name} {metric.value!r}\n"
        for metric in _documented(metrics)
    )


def joined(*expositions: str) -> str:
    """Several expositions as one; each ends with a line feed unless it is empty."""
    return "".join(text if text.endswith("\n") or not text else text + "\n" for text in expositions)


def _documented(metrics: GetMetricsResponse) -> tuple[_Metric, ...]:
    ratio = metrics.kv_cells_used / metrics.kv_cells_total if metrics.kv_cells_total else 0.0
    return (
        _Metric("prompt_tokens_total", "counter", "Number of prompt tokens processed.", metrics.prompt_tokens_total),
        _Metric(
            "tokens_predicted_total",
            "counter",
            "Number of generation tokens processed.",
            metrics.predicted_tokens_total,
        ),
        _Metric(
            "prompt_tokens_seconds",
            "gauge",
            "Average prompt throughput in tokens/s.",
            metrics.prompt_tokens_per_second,
        ),
        _Metric(
            "predicted_tokens_seconds",
            "gauge",
            "Average generation throughput in tokens/s.",
            metrics.predicted_tokens_per_second,
        ),
        _Metric("kv_cache_usage_ratio", "gauge", "KV-cache usage. 1 means 100 percent usage.", ratio),
        _Metric("kv_cache_tokens", "gauge", "KV-cache tokens.", metrics.kv_tokens),
        _Metric("requests_processing", "gauge", "Number of request processing.", metrics.requests_processing),
        _Metric("requests_deferred", "gauge", "Number of request deferred.", metrics.requests_deferred),
    )
