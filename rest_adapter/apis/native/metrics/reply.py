"""GET /metrics: this adapter's metrics, one declaration each, in front of the core's.

The first eight are those of llama.cpp's server of 2024: names, types, help texts and number format are its own.
``tools/document_metrics.py`` writes tables of ``docs/metrics.md`` from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from slotline.v1.model_pb2 import GetMetricsResponse


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything that the adapter's metrics are read from, at one moment.

    Attributes:
        core: what the core tells.
        responses: HTTP responses so far, by method, route and status.
        running: generations and embeddings that run or wait.
    """

    core: GetMetricsResponse
    responses: Mapping[tuple[str, ...], int]
    running: int


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: as the exposition has it.
        type: by Prometheus' name.
        unit: of its values, in the words of the documentation.
        read: takes its value from a reading, or one for each combination of label values. Rates and ratios are always
            ``float`` and so have a decimal point.
        help: what it tells, as a sentence.
        labels: names of its labels, in the order of the values in the keys that ``read`` gives.
    """

    name: str
    type: Literal["counter", "gauge"]
    unit: str
    read: Callable[[Reading], float | Mapping[tuple[str, ...], float]]
    help: str
    labels: tuple[str, ...] = ()

    def lines(self, reading: Reading) -> Iterator[str]:
        """Its part of the exposition, values with labels in the order of these."""
        yield f"# HELP {self.name} {self.help}\n"
        yield f"# TYPE {self.name} {self.type}\n"
        values = self.read(reading)
        if isinstance(values, int | float):
            yield f"{self.name} {values!r}\n"
            return
        for key, value in sorted(values.items()):
            labels = ",".join(f'{label}="{text}"' for label, text in zip(self.labels, key, strict=True))
            yield f"{self.name}{{{labels}}} {value!r}\n"


#: In the order of the exposition.
METRICS = (
    Metric(
        name="llamacpp:prompt_tokens_total",
        type="counter",
        unit="tokens",
        read=lambda now: now.core.prompt_tokens_total,
        help="Number of prompt tokens processed.",
    ),
    Metric(
        name="llamacpp:tokens_predicted_total",
        type="counter",
        unit="tokens",
        read=lambda now: now.core.predicted_tokens_total,
        help="Number of generation tokens processed.",
    ),
    Metric(
        name="llamacpp:prompt_tokens_seconds",
        type="gauge",
        unit="tokens/s",
        read=lambda now: now.core.prompt_tokens_per_second,
        help="Average prompt throughput in tokens/s.",
    ),
    Metric(
        name="llamacpp:predicted_tokens_seconds",
        type="gauge",
        unit="tokens/s",
        read=lambda now: now.core.predicted_tokens_per_second,
        help="Average generation throughput in tokens/s.",
    ),
    Metric(
        name="llamacpp:kv_cache_usage_ratio",
        type="gauge",
        unit="0 to 1",
        read=lambda now: now.core.kv_cells_used / now.core.kv_cells_total if now.core.kv_cells_total else 0.0,
        help="KV-cache usage. 1 means 100 percent usage.",
    ),
    Metric(
        name="llamacpp:kv_cache_tokens",
        type="gauge",
        unit="tokens",
        read=lambda now: now.core.kv_tokens,
        help="KV-cache tokens.",
    ),
    Metric(
        name="llamacpp:requests_processing",
        type="gauge",
        unit="requests",
        read=lambda now: now.core.requests_processing,
        help="Number of request processing.",
    ),
    Metric(
        name="llamacpp:requests_deferred",
        type="gauge",
        unit="requests",
        read=lambda now: now.core.requests_deferred,
        help="Number of request deferred.",
    ),
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


def exposition(reading: Reading) -> str:
    """The adapter's metrics and the core's in the Prometheus text format."""
    own = "".join(line for metric in METRICS for line in metric.lines(reading))
    core = reading.core.exposition
    return own + (core if core.endswith("\n") or not core else core + "\n")
