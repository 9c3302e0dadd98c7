"""Requests that are given up after any number of steps; what exactly happens then is in the transcripts."""

from __future__ import annotations

import pytest

from service.config import EngineConfig
from service.engine.request.snapshots import SlotState
from tests.support.engine import EngineBench, expected_text, request


@pytest.mark.parametrize("steps", range(12))
def test_cancel_at_any_step_frees_the_slot_and_keeps_the_neighbour(steps: int) -> None:
    config = EngineConfig(n_slots=2, n_ctx_slot=64, prefill_budget_ms=1, idle_prefill_budget_ms=1)
    bench = EngineBench(config)
    task_id, cancelled = bench.submit(request("c" * 40, max_tokens=50))
    _, kept = bench.submit(request("kept", max_tokens=20))
    for _ in range(steps):
        bench.step()
    bench.engine.cancel(task_id)
    bench.run()
    assert not cancelled.is_over
    assert kept.text == expected_text("kept", 20)
    assert all(slot.state is SlotState.IDLE for slot in bench.engine.snapshot().slots)


@pytest.mark.parametrize("steps", range(8))
def test_cancel_at_any_step_frees_all_sequences(steps: int) -> None:
    bench = EngineBench(EngineConfig(n_slots=2, n_ctx_slot=128))
    task_id, _ = bench.submit(request(n_sequences=5))
    for _ in range(steps):
        bench.step()
    bench.engine.cancel(task_id)
    assert not bench.engine.has_work
    assert bench.complete(request()).text == expected_text("hello", 8)


@pytest.mark.parametrize("steps", range(1, 6))
def test_if_a_producer_goes_at_any_step_another_one_produces(steps: int) -> None:
    config = EngineConfig(n_slots=4, n_ctx_slot=160, prefill_budget_ms=40, idle_prefill_budget_ms=40)
    bench = EngineBench(config)
    prefix = "p" * 100
    task_id, _ = bench.submit(request(prefix + "gone", max_tokens=30))
    sinks = [bench.submit(request(f"{prefix}{number}"))[1] for number in range(3)]
    for _ in range(steps):
        bench.step()
    bench.engine.cancel(task_id)
    bench.run()
    assert [sink.text for sink in sinks] == [expected_text(f"{prefix}{number}", 8) for number in range(3)]
    assert sum(len(part.tokens) for batch in bench.model.compute.decoded for part in batch) < 300
