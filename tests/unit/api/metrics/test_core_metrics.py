"""Counters, averages of a window, and the Prometheus text."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.api.metrics.core_metrics import CoreMetrics
from service.api.metrics.declarations import METRICS, kv_tokens
from service.api.metrics.metric import MetricType
from service.api.status import CoreState, CoreStatus
from service.engine.cache.slots import Slot
from service.engine.request.requests import SystemPrompt
from service.engine.request.snapshots import Counters, EngineSnapshot, SlotState
from service.engine.statistics.distributions import STEP_BOUNDS_S, Distributions
from service.engine.statistics.histogram import HistogramCounts
from service.errors import ModelLoading
from service.media.encoder import MediaCounts, WorkerState
from tests.support.served import served_model

if TYPE_CHECKING:
    from service.api.served_model import ServedModel

SLOT = replace(Slot(0).snapshot(), cached_tokens=7)
SNAPSHOT = EngineSnapshot(
    slots=(SLOT, replace(SLOT, id=1, state=SlotState.DECODE, cached_tokens=5)),
    queue_depth=3,
    kv_cells_used=11,
    kv_cells_total=512,
    counters=Counters(
        prompt_tokens=100,
        prompt_s=4.0,
        predicted_tokens=30,
        predicted_s=1.5,
        finished=6,
        steps=90,
        cached_prompt_tokens=40,
        requests=(3, 2, 1, 0),
        preemptions=4,
        drafted_tokens=50,
        accepted_tokens=20,
        step_s=9.0,
        model_s=7.0,
        sampling_s=1.5,
        drafts=9,
        model_calls=8,
        call_sequences=10,
        embedded_tokens=60,
        longest=77,
    ),
    saved_prompts=3,
    saved_bytes=4096,
    restored_prompts=8,
)


MEDIA = MediaCounts(n_hits=9, n_encoded=5, encode_s=2.5, n_failed=2, n_restarts=1, n_waiting=4, kept_bytes=1024)


@dataclass
class FakeCore:
    """A core whose state a test sets."""

    snapshot: EngineSnapshot = SNAPSHOT
    state: CoreState = CoreState.READY
    served: ServedModel | None = field(default_factory=served_model)
    image_worker: WorkerState | None = WorkerState.BUSY
    media: MediaCounts | None = MEDIA

    def status(self) -> CoreStatus:
        """The core as it is now."""
        return CoreStatus(
            state=self.state,
            instance_id="run",
            message="",
            load_progress=1.0,
            start_time_s=1_700_000_000.0,
            uptime_s=3.5,
            queue_limit=128,
            snapshot=self.snapshot,
            image_worker=self.image_worker,
            media=self.media,
        )

    def model(self) -> ServedModel:
        """The model, if it is loaded."""
        if self.served is None:
            raise ModelLoading
        return self.served

    def count(self, **changes: float) -> None:
        """Let the counters grow."""
        old = self.snapshot.counters
        grown = {name: getattr(old, name) + value for name, value in changes.items()}
        self.snapshot = replace(self.snapshot, counters=replace(old, **grown))


def metrics(core: FakeCore) -> CoreMetrics:
    """The metrics of a core."""
    return CoreMetrics(core.status, core.model)


def samples(core: FakeCore) -> dict[str, float]:
    """The exposition's values by name and labels, without histograms."""
    text = metrics(core).read(reset_window=False).exposition
    return {
        ",".join([sample.name, *(f"{key}={value}" for key, value in sorted(sample.labels.items()))]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if family.type != "histogram"
    }


def test_totals_and_gauges_are_those_of_the_last_step() -> None:
    response = metrics(FakeCore()).read(reset_window=False)
    assert (response.prompt_tokens_total, response.predicted_tokens_total) == (100, 30)
    assert (response.kv_cells_used, response.kv_cells_total, response.kv_tokens) == (11, 512, 12)
    assert (response.requests_processing, response.requests_deferred) == (1, 3)
    assert (response.cached_prompt_tokens_total, response.embedded_tokens_total) == (40, 60)
    assert (response.prompt_seconds_total, response.predicted_seconds_total) == (4.0, 1.5)
    assert (response.model_calls_total, response.sequences_per_model_call) == (8, 1.25)
    assert (response.drafts_total, response.drafted_tokens_total, response.accepted_tokens_total) == (9, 50, 20)
    assert (response.longest_sequence_tokens, response.started_unix_s) == (77, 1_700_000_000)


def test_a_core_that_called_no_model_has_no_sequences_per_call() -> None:
    core = FakeCore(EngineSnapshot((), 0, 0, 0, Counters()), CoreState.LOADING, None)
    assert metrics(core).read(reset_window=False).sequences_per_model_call == 0


def test_every_slot_holds_the_tokens_of_the_system_prompt() -> None:
    assert kv_tokens(replace(SNAPSHOT, system_prompt=SystemPrompt("Be brief.", (1, 2, 3)))) == 12 + 2 * 3


class TestWindow:
    """The averages."""

    def test_begins_with_the_core(self) -> None:
        response = metrics(FakeCore()).read(reset_window=False)
        assert (response.prompt_tokens_per_second, response.predicted_tokens_per_second) == (25.0, 20.0)

    def test_goes_on_until_it_is_reset(self) -> None:
        core = FakeCore()
        watched = metrics(core)
        watched.read(reset_window=False)
        core.count(prompt_tokens=100, prompt_s=1.0)
        assert watched.read(reset_window=True).prompt_tokens_per_second == 40.0
        core.count(prompt_tokens=10, prompt_s=2.0, predicted_tokens=3, predicted_s=0.5)
        response = watched.read(reset_window=False)
        assert (response.prompt_tokens_per_second, response.predicted_tokens_per_second) == (5.0, 6.0)
        assert response.prompt_tokens_total == 210

    @pytest.mark.parametrize("changes", [{}, {"prompt_tokens": 5, "predicted_tokens": 5}, {"prompt_s": 1.0}])
    def test_without_tokens_or_time_has_averages_of_zero(self, changes: dict[str, float]) -> None:
        core = FakeCore()
        watched = metrics(core)
        watched.read(reset_window=True)
        core.count(**changes)
        response = watched.read(reset_window=False)
        assert (response.prompt_tokens_per_second, response.predicted_tokens_per_second) == (0.0, 0.0)


class TestExposition:
    """The Prometheus text."""

    def test_has_every_counter_and_gauge(self) -> None:
        found = samples(FakeCore())
        wanted = {
            "slotline_prompt_tokens_total": 100,
            "slotline_cached_prompt_tokens_total": 40,
            "slotline_preemptions_total": 4,
            "slotline_drafted_tokens_total": 50,
            "slotline_accepted_tokens_total": 20,
            "slotline_drafts_total": 9,
            "slotline_embedded_tokens_total": 60,
            "slotline_model_calls_total": 8,
            "slotline_model_call_sequences_total": 10,
            "slotline_engine_seconds_total,phase=model": 7.0,
            "slotline_engine_seconds_total,phase=sampling": 1.5,
            "slotline_engine_seconds_total,phase=other": 0.5,
            "slotline_requests_total,outcome=stop": 3,
            "slotline_requests_total,outcome=length": 2,
            "slotline_requests_total,outcome=cancelled": 1,
            "slotline_requests_total,outcome=failed": 0,
            "slotline_prompt_seconds_total": 4,
            "slotline_predicted_tokens_total": 30,
            "slotline_predicted_seconds_total": 1.5,
            "slotline_sequences_finished_total": 6,
            "slotline_steps_total": 90,
            "slotline_slots": 2,
            "slotline_slots_processing": 1,
            "slotline_queue_depth": 3,
            "slotline_queue_limit": 128,
            "slotline_kv_cells": 512,
            "slotline_kv_cells_used": 11,
            "slotline_kv_tokens": 12,
            "slotline_saved_prompts": 3,
            "slotline_saved_bytes": 4096,
            "slotline_restored_prompts_total": 8,
            "slotline_model_load_ratio": 1,
            "slotline_start_time_seconds": 1_700_000_000,
            "slotline_core_state,state=loading": 0,
            "slotline_core_state,state=ready": 1,
            "slotline_core_state,state=stalled": 0,
            "slotline_core_state,state=failed": 0,
            "slotline_core_state,state=draining": 0,
            "slotline_model_info,description=scripted bytes,family=scripted,name=scripted": 1,
        }
        assert {name: found.get(name) for name in wanted} == wanted
        undeclared = {name.partition(",")[0] for name in found} - {metric.name for metric in METRICS}
        assert undeclared == set()

    def test_has_the_labels_that_are_declared(self) -> None:
        text = metrics(FakeCore()).read(reset_window=False).exposition
        found = {
            sample.name: {*sample.labels}
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if family.type != "histogram"
        }
        assert found == {m.name: {*m.labels} for m in METRICS if m.type is not MetricType.HISTOGRAM}

    def test_has_every_histogram(self) -> None:
        text = metrics(FakeCore()).read(reset_window=False).exposition
        found = [family for family in text_string_to_metric_families(text) if family.type == "histogram"]
        assert [family.name for family in found] == [
            "slotline_queue_seconds",
            "slotline_time_to_first_token_seconds",
            "slotline_inter_token_seconds",
            "slotline_request_prompt_tokens",
            "slotline_request_generated_tokens",
            "slotline_step_seconds",
            "slotline_batch_tokens",
        ]
        assert {sample.value for family in found for sample in family.samples} == {0}

    def test_buckets_of_histograms_are_cumulative(self) -> None:
        counts = [0] * (len(STEP_BOUNDS_S) + 1)
        counts[0], counts[2], counts[-1] = 3, 4, 2
        observed = Distributions(step_s=HistogramCounts(STEP_BOUNDS_S, tuple(counts), 20.5))
        text = metrics(FakeCore(replace(SNAPSHOT, distributions=observed))).read(reset_window=False).exposition
        (family,) = [f for f in text_string_to_metric_families(text) if f.name == "slotline_step_seconds"]
        values = {sample.labels.get("le", sample.name): sample.value for sample in family.samples}
        assert (values["0.001"], values["0.0025"], values["0.005"], values["5.0"]) == (3, 3, 7, 7)
        assert (values["+Inf"], values["slotline_step_seconds_count"]) == (9, 9)
        assert values["slotline_step_seconds_sum"] == 20.5

    def test_says_what_each_metric_is(self) -> None:
        text = metrics(FakeCore()).read(reset_window=False).exposition
        families = list(text_string_to_metric_families(text))
        assert all(family.documentation.endswith(".") for family in families)
        assert {family.type for family in families} == {"counter", "gauge", "histogram"}
        assert "# TYPE slotline_prompt_tokens_total counter\n" in text

    def test_is_there_while_the_model_is_not(self) -> None:
        found = samples(FakeCore(EngineSnapshot((), 0, 0, 0, Counters()), CoreState.LOADING, None))
        assert found["slotline_core_state,state=loading"] == 1
        assert found["slotline_prompt_tokens_total"] == 0
        assert not [name for name in found if name.startswith("slotline_model_info")]

    def test_tells_of_pictures_where_they_are_taken(self) -> None:
        found = {name: value for name, value in samples(FakeCore()).items() if name.startswith("slotline_image")}
        assert found == {
            "slotline_images_encoded_total": 5,
            "slotline_image_hits_total": 9,
            "slotline_image_encode_seconds_total": 2.5,
            "slotline_image_failures_total": 2,
            "slotline_image_worker_restarts_total": 1,
            "slotline_images_waiting": 4,
            "slotline_image_cache_bytes": 1024,
            "slotline_image_worker_state,state=starting": 0,
            "slotline_image_worker_state,state=idle": 0,
            "slotline_image_worker_state,state=busy": 1,
            "slotline_image_worker_state,state=failed": 0,
        }
        without = samples(FakeCore(image_worker=None, media=None))
        assert not [name for name in without if name.startswith("slotline_image")]

    def test_can_hold_any_name_of_a_model(self) -> None:
        name = 'a "quoted"\n\\name'
        found = samples(FakeCore(served=replace(served_model(), name=name)))
        assert f"slotline_model_info,description=scripted bytes,family=scripted,name={name}" in found
