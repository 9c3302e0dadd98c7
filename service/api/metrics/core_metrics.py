"""The core's metrics: counters and histograms since start, averages of a window, and the Prometheus text of all.

Everything is computed from the engine's last snapshot when somebody asks; nothing is counted here.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

from service.api.metrics.histograms import histogram_metrics
from service.api.status import CoreState, CoreStatus
from service.engine.request.types import Counters, EngineSnapshot, Outcome
from service.errors import Unavailable
from slotline.v1 import model_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client.metrics_core import Metric

    from service.api.served_model import ServedModel


class CoreMetrics:
    """What ``GetMetrics`` answers with. There is one window, however many callers there are.

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
        snapshot = self._status().snapshot
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
        )
        if reset_window:
            self._window_start = counters
        return response


def kv_tokens(snapshot: EngineSnapshot) -> int:
    """Tokens in the KV cache; those that slots share count once for each. All slots share the system prompt."""
    n_system = len(snapshot.system_prompt.tokens) if snapshot.system_prompt else 0
    return sum(slot.cached_tokens + n_system for slot in snapshot.slots)


class _StatusCollector(Collector):
    """The core's status as metrics; their names and meanings are a contract with whoever watches them."""

    def __init__(self, status: Callable[[], CoreStatus], model: Callable[[], ServedModel]) -> None:
        self._status = status
        self._model = model

    def describe(self) -> list[Metric]:
        """Nothing: names are not compared with those of other collectors, of which there are none."""
        return []

    def collect(self) -> Iterator[Metric]:
        status = self._status()
        yield from _counters(status.snapshot.counters)
        yield _requests(status.snapshot.counters)
        yield _phases(status.snapshot.counters)
        yield from histogram_metrics(status.snapshot.distributions)
        yield from _saved(status.snapshot)
        yield from _gauges(status)
        state = GaugeMetricFamily("slotline_core_state", "1 for the state that the core is in.", labels=["state"])
        for known in CoreState:
            state.add_metric([known.value], known is status.state)
        yield state
        with contextlib.suppress(Unavailable):
            yield _model_info(self._model())


def _counters(counters: Counters) -> Iterator[Metric]:
    for name, text, value in (
        ("prompt_tokens", "Prompt tokens evaluated, without those taken from the cache.", counters.prompt_tokens),
        ("cached_prompt_tokens", "Prompt tokens taken from the cache.", counters.cached_prompt_tokens),
        ("prompt_seconds", "Time from slot start to first token, summed over requests.", counters.prompt_s),
        ("predicted_tokens", "Tokens sampled.", counters.predicted_tokens),
        ("predicted_seconds", "Time from first to last token, summed over requests.", counters.predicted_s),
        ("sequences_finished", "Sequences that ended, however they did.", counters.finished),
        ("steps", "Steps of the engine.", counters.steps),
        ("preemptions", "Sequences that had to give way, to go on later.", counters.preemptions),
        ("drafted_tokens", "Tokens that were tried ahead.", counters.drafted_tokens),
        ("accepted_tokens", "Tokens tried ahead that were right.", counters.accepted_tokens),
    ):
        yield CounterMetricFamily(f"slotline_{name}", text, value=value)


def _requests(counters: Counters) -> Metric:
    requests = CounterMetricFamily("slotline_requests", "Requests for text that are over.", labels=["outcome"])
    for outcome, value in zip(Outcome, counters.requests, strict=True):
        requests.add_metric([outcome.value], value)
    return requests


def _phases(counters: Counters) -> Metric:
    seconds = CounterMetricFamily(
        "slotline_engine_seconds", "Time of the engine's steps, by what it was spent on.", labels=["phase"]
    )
    rest_s = max(0.0, counters.step_s - counters.model_s - counters.sampling_s)
    for phase, value in (("model", counters.model_s), ("sampling", counters.sampling_s), ("other", rest_s)):
        seconds.add_metric([phase], value)
    return seconds


def _saved(snapshot: EngineSnapshot) -> Iterator[Metric]:
    yield CounterMetricFamily(
        "slotline_restored_prompts", "Caches copied back from main memory.", value=snapshot.restored_prompts
    )
    yield GaugeMetricFamily("slotline_saved_prompts", "Caches in main memory.", value=snapshot.saved_prompts)
    yield GaugeMetricFamily("slotline_saved_bytes", "What they take.", value=snapshot.saved_bytes)


def _gauges(status: CoreStatus) -> Iterator[Metric]:
    snapshot = status.snapshot
    for name, text, value in (
        ("slots", "Slots.", len(snapshot.slots)),
        ("slots_processing", "Slots with a request.", snapshot.slots_processing),
        ("queue_depth", "Requests that wait for a slot.", snapshot.queue_depth),
        ("queue_limit", "Requests that may wait for a slot.", status.queue_limit),
        ("kv_cells", "KV cells.", snapshot.kv_cells_total),
        ("kv_cells_used", "KV cells that hold a token; a shared one counts once.", snapshot.kv_cells_used),
        ("kv_tokens", "Tokens in the KV cache; a shared one counts once per slot.", kv_tokens(snapshot)),
        ("model_load_ratio", "Part of the model that is loaded.", status.load_progress),
        ("start_time_seconds", "When the core started, in seconds since 1970.", status.start_time_s),
    ):
        yield GaugeMetricFamily(f"slotline_{name}", text, value=value)


def _model_info(model: ServedModel) -> Metric:
    facts = {"name": model.name, "family": model.facts.family, "description": model.facts.description}
    return InfoMetricFamily("slotline_model", "The served model.", value=facts)


def _rate(tokens: int, seconds: float) -> float:
    return tokens / seconds if tokens > 0 and seconds > 0 else 0.0
