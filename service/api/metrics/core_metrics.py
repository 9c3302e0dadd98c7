"""What ``GetMetrics`` answers with: totals since start, averages of a window, and the Prometheus text of everything.

All of it is computed from the engine's last snapshot when somebody asks; nothing is counted here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector

from service.api.metrics.declarations import METRICS, kv_tokens
from service.api.metrics.metric import Reading
from service.engine.request.snapshots import Counters
from service.errors import Unavailable
from slotline.v1 import model_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.metrics_core import Metric as Family

    from service.api.served_model import ServedModel
    from service.api.status import CoreStatus


class CoreMetrics:
    """The answers to ``GetMetrics``. There is one window, however many callers there are.

    Args:
        status: the core as it is now.
        model: the served model; raises Unavailable while there is none.
    """

    def __init__(self, status: Callable[[], CoreStatus], model: Callable[[], ServedModel]) -> None:
        self._status = status
        self._window_start = Counters()
        self._registry = CollectorRegistry()
        self._registry.register(_StatusCollector(status, model))

    def read(self, *, reset_window: bool) -> model_pb2.GetMetricsResponse:
        """Everything as it is now.

        Args:
            reset_window: start the next window afterwards.
        """
        status = self._status()
        snapshot = status.snapshot
        counters, start = snapshot.counters, self._window_start
        response = model_pb2.GetMetricsResponse(
            prompt_tokens_total=counters.prompt_tokens,
            predicted_tokens_total=counters.predicted_tokens,
            prompt_tokens_per_second=_rate(
                counters.prompt_tokens - start.prompt_tokens, counters.prompt_s - start.prompt_s
            ),
            predicted_tokens_per_second=_rate(
                counters.predicted_tokens - start.predicted_tokens, counters.predicted_s - start.predicted_s
            ),
            kv_cells_used=snapshot.kv_cells_used,
            kv_cells_total=snapshot.kv_cells_total,
            kv_tokens=kv_tokens(snapshot),
            requests_processing=snapshot.slots_processing,
            requests_deferred=snapshot.queue_depth,
            exposition=generate_latest(self._registry).decode(),
            cached_prompt_tokens_total=counters.cached_prompt_tokens,
            embedded_tokens_total=counters.embedded_tokens,
            prompt_seconds_total=counters.prompt_s,
            predicted_seconds_total=counters.predicted_s,
            model_calls_total=counters.model_calls,
            sequences_per_model_call=counters.call_sequences / max(counters.model_calls, 1),
            longest_sequence_tokens=counters.longest,
            drafts_total=counters.drafts,
            drafted_tokens_total=counters.drafted_tokens,
            accepted_tokens_total=counters.accepted_tokens,
            started_unix_s=int(status.start_time_s),
        )
        if reset_window:
            self._window_start = counters
        return response


class _StatusCollector(Collector):
    """The declared metrics, read from the core's status."""

    def __init__(self, status: Callable[[], CoreStatus], model: Callable[[], ServedModel]) -> None:
        self._status = status
        self._model = model

    def describe(self) -> list[Family]:
        """Nothing: names need not be compared with those of other collectors, for there are none."""
        return []

    def collect(self) -> Iterator[Family]:
        reading = Reading(self._status(), self._served_model())
        families = (metric.family(reading) for metric in METRICS)
        yield from (family for family in families if family is not None)

    def _served_model(self) -> ServedModel | None:
        try:
            return self._model()
        except Unavailable:
            return None


def _rate(tokens: int, seconds: float) -> float:
    return tokens / seconds if tokens > 0 and seconds > 0 else 0.0
