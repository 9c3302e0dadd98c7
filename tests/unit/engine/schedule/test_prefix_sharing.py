"""Requests that begin like one whose prompt is being evaluated wait for it, and share what it evaluated."""

from __future__ import annotations

from typing import Any

import pytest

from service.config import EngineConfig
from service.engine.language_model import DecodeFailed
from tests.support.engine import EngineBench, RecordingSink, expected_text, request

PREFIX = "p" * 100


def bench_of(n_slots: int = 8, n_ctx: int = 160, **options: Any) -> EngineBench:
    """An engine that evaluates prompts in chunks of 32 tokens at first."""
    config = EngineConfig(n_slots=n_slots, n_ctx_slot=n_ctx, prefill_budget_ms=40, idle_prefill_budget_ms=40)
    return EngineBench(config, **options)


def submit(bench: EngineBench, n_requests: int, **options: object) -> list[RecordingSink]:
    """Requests with one beginning."""
    return [bench.submit(request(f"{PREFIX}{number}", **options))[1] for number in range(n_requests)]


def evaluated(bench: EngineBench) -> int:
    """Tokens evaluated so far."""
    return sum(len(part.tokens) for batch in bench.model.compute.decoded for part in batch)


def assert_answered(sinks: list[RecordingSink]) -> None:
    """All said what they would say alone."""
    assert [sink.text for sink in sinks] == [expected_text(f"{PREFIX}{n}", 8) for n in range(len(sinks))]


def test_requests_that_arrive_together_evaluate_their_beginning_once() -> None:
    bench = bench_of()
    sinks = submit(bench, 8)
    bench.run()
    assert evaluated(bench) == len(PREFIX) + 8 * (1 + 7)
    assert [sink.accepted.cached_prompt_tokens for sink in sinks] == [0] + [len(PREFIX)] * 7
    assert_answered(sinks)


def test_who_waits_counts_as_waiting_and_others_pass() -> None:
    bench = bench_of(n_slots=2)
    producer, consumer = submit(bench, 2)
    _, other = bench.submit(request("other"))
    bench.step()
    assert bench.engine.queue_depth == 1
    assert (len(producer.events), len(consumer.events), len(other.events)) == (1, 0, 2)
    bench.run()
    assert other.text == expected_text("other", 8)
    assert_answered([producer, consumer])


def test_a_beginning_that_came_later_is_followed_too() -> None:
    bench = bench_of()
    submit(bench, 1)
    bench.step()
    _, late = bench.submit(request(PREFIX + "late"))
    bench.step()
    assert late.events == []
    bench.run()
    assert late.accepted.cached_prompt_tokens == len(PREFIX)


@pytest.mark.parametrize(
    "options", [{"cache_prompt": False}, {"cache_salt": "other"}], ids=["without the cache", "with another salt"]
)
def test_who_cannot_share_does_not_wait(options: dict[str, object]) -> None:
    bench = bench_of()
    submit(bench, 1)
    _, sink = bench.submit(request(PREFIX + "x", **options))
    bench.step()
    assert len(sink.events) == 1
    bench.run()
    assert sink.accepted.cached_prompt_tokens == 0


@pytest.mark.parametrize("common", [31, 100])
def test_a_short_common_beginning_is_not_worth_waiting(common: int) -> None:
    bench = bench_of(n_ctx=1200)
    bench.submit(request("c" * common + "x" * 1000))
    _, sink = bench.submit(request("c" * common + "y" * (60 if common < 32 else 1000)))
    bench.step()
    assert len(sink.events) == 1
    bench.run()


def test_who_can_take_as_much_elsewhere_does_not_wait() -> None:
    bench = bench_of()
    bench.complete(request(PREFIX))
    bench.submit(request(PREFIX + "a" * 50))
    _, sink = bench.submit(request(PREFIX + "b" * 50))
    bench.step()
    assert sink.accepted.cached_prompt_tokens == len(PREFIX)
    bench.run()


def test_self_extend_does_not_wait() -> None:
    config = EngineConfig(n_slots=2, n_ctx_slot=160, idle_prefill_budget_ms=40, group_n=2, group_width=8)
    bench = EngineBench(config)
    sinks = submit(bench, 2)
    bench.step()
    assert [len(sink.events) for sink in sinks] == [1, 1]
    bench.run()


@pytest.mark.parametrize("steps", range(1, 6))
def test_if_the_leader_goes_another_one_leads(steps: int) -> None:
    bench = bench_of(n_slots=4)
    task_id, _ = bench.submit(request(PREFIX + "gone", max_tokens=30))
    sinks = submit(bench, 3)
    for _ in range(steps):
        bench.step()
    bench.engine.cancel(task_id)
    bench.run()
    assert_answered(sinks)
    assert sum(part.seq_id >= 0 and len(part.tokens) for batch in bench.model.compute.decoded for part in batch) < 300


def test_if_the_leader_fails_another_one_leads() -> None:
    bench = bench_of(n_slots=4)
    _, producer = bench.submit(request(PREFIX + "fails"))
    sinks = submit(bench, 3)
    bench.step()
    bench.model.compute.fail_next = DecodeFailed("as planned")
    bench.run()
    assert producer.failed
    assert_answered(sinks)
    assert [sink.accepted.cached_prompt_tokens for sink in sinks] == [0, len(PREFIX), len(PREFIX)]


def test_a_follower_that_is_cancelled_is_forgotten() -> None:
    bench = bench_of()
    submit(bench, 1)
    task_id, sink = bench.submit(request(PREFIX + "x"))
    bench.step()
    bench.engine.cancel(task_id)
    bench.run()
    assert sink.events == []
    assert bench.engine.n_sharing == 0


def test_a_model_that_cannot_share_is_waited_for_once_at_most() -> None:
    bench = bench_of(can_fork=False, can_cut=False)
    assert_answered(_run_all(bench, 3))
    bench.submit(request("q" * 100 + "1"))
    _, sink = bench.submit(request("q" * 100 + "2"))
    bench.step()
    assert len(sink.events) == 1
    bench.run()


def test_more_requests_than_slots_share_as_well() -> None:
    bench = bench_of(n_slots=2)
    assert_answered(_run_all(bench, 9))
    assert evaluated(bench) == len(PREFIX) + 9 * (1 + 7)


def test_a_follower_with_a_higher_priority_does_not_take_the_leaders_slot() -> None:
    bench = bench_of(n_slots=1)
    _, producer = bench.submit(request(PREFIX + "0"))
    bench.step()
    _, consumer = bench.submit(request(PREFIX + "1", priority=1))
    bench.run()
    assert consumer.accepted.cached_prompt_tokens == len(PREFIX)
    assert_answered([producer, consumer])


def _run_all(bench: EngineBench, n_requests: int) -> list[RecordingSink]:
    sinks = submit(bench, n_requests)
    bench.run()
    return sinks
