"""Histograms of requests and steps, on the scripted model in virtual time: exact counts of known runs.

A step of that model takes 10 ms and 5 ms per token, or 4 ms where two tokens would fall on a bucket's bound.
"""

from __future__ import annotations

import pytest

from service.config import EngineConfig
from service.engine.language_model import DecodeFailed
from service.engine.request.snapshots import Counters, Outcome
from service.engine.statistics.distributions import Distributions
from service.engine.statistics.histogram import Histogram, HistogramCounts
from service.engine.statistics.totals import Totals
from tests.support.engine import EngineBench, request


def buckets(counts: HistogramCounts) -> dict[float, int]:
    """The buckets that are not empty, by their upper bounds."""
    bounds = (*counts.bounds, float("inf"))
    return {bound: n for bound, n in zip(bounds, counts.counts, strict=True) if n}


def observed(bench: EngineBench) -> Distributions:
    """The histograms now."""
    return bench.engine.snapshot().distributions


def counters(bench: EngineBench) -> Counters:
    """The counters now."""
    return bench.engine.snapshot().counters


def outcomes(bench: EngineBench) -> dict[Outcome, int]:
    """Requests that are over."""
    return {outcome: n for outcome, n in zip(Outcome, counters(bench).requests, strict=True) if n}


class TestHistogram:
    """The counting."""

    def test_a_bucket_includes_its_upper_bound(self) -> None:
        histogram = Histogram((1, 2))
        for value in (0, 1, 1.5, 2, 2.5):
            histogram.observe(value)
        assert histogram.read() == HistogramCounts((1, 2), (2, 2, 1), 7.0)
        assert histogram.read().count == 5

    def test_equal_values_are_counted_at_once(self) -> None:
        histogram = Histogram((1, 2))
        histogram.observe(1.5, 4)
        assert histogram.read() == HistogramCounts((1, 2), (0, 4, 0), 6.0)

    def test_what_was_read_does_not_change(self) -> None:
        histogram = Histogram((1,))
        before = histogram.read()
        assert histogram.read() is before
        histogram.observe(3)
        assert before == HistogramCounts.empty((1,))
        assert histogram.read().counts == (0, 1)


def test_an_engine_starts_with_empty_histograms() -> None:
    assert observed(EngineBench()) == Distributions()


def test_one_request() -> None:
    bench = EngineBench()
    bench.complete(request("hello", max_tokens=8))
    found = observed(bench)
    assert buckets(found.queue_s) == {0.001: 1}
    assert buckets(found.first_token_s) == {0.05: 1}
    assert found.first_token_s.sum == pytest.approx(0.035)
    assert buckets(found.inter_token_s) == {0.02: 7}
    assert found.inter_token_s.sum == pytest.approx(7 * 0.015)
    assert buckets(found.prompt_tokens) == {5: 1}
    assert buckets(found.generated_tokens) == {10: 1}
    assert found.generated_tokens.sum == 8
    assert buckets(found.step_s) == {0.04: 1, 0.02: 7}
    assert buckets(found.batch_tokens) == {8: 1, 1: 7}
    assert outcomes(bench) == {Outcome.LENGTH: 1}


def test_slots_that_decode_together_count_once_per_sequence() -> None:
    bench = EngineBench(token_s=0.004)
    bench.submit(request("first", max_tokens=4, cache_prompt=False))
    bench.submit(request("other", max_tokens=4, cache_prompt=False))
    bench.run()
    found = observed(bench)
    assert buckets(found.inter_token_s) == {0.02: 6}
    assert found.inter_token_s.sum == pytest.approx(6 * 0.018)
    assert buckets(found.batch_tokens) == {16: 1, 2: 3}
    assert found.batch_tokens.sum == 10 + 3 * 2


def test_sequences_with_different_gaps_are_counted_apart() -> None:
    totals = Totals(lambda: 0.0)
    for gap_s in (0.015, 0.015, 0.5):
        totals.add_token(gap_s)
    totals.end_step(0.0)
    assert buckets(totals.distributions().inter_token_s) == {0.02: 2, 0.5: 1}


def test_a_request_that_waits_for_a_slot() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=128))
    bench.submit(request("hello", max_tokens=8))
    bench.submit(request("other", max_tokens=1, cache_prompt=False))
    bench.run()
    found = observed(bench)
    # The first one runs for 35 ms and seven times 15 ms.
    assert buckets(found.queue_s) == {0.001: 1, 0.25: 1}
    assert found.queue_s.sum == pytest.approx(0.140)
    assert buckets(found.first_token_s) == {0.05: 1, 0.25: 1}


def test_a_request_counts_from_when_it_arrived() -> None:
    bench = EngineBench()
    bench.clock.advance(2.0)
    bench.engine.submit(1, request("hello"), bench.submit(request("other"))[1], 0.5)
    bench.run()
    assert buckets(observed(bench).queue_s) == {0.001: 1, 2.5: 1}


def test_prompt_tokens_from_the_cache() -> None:
    bench = EngineBench()
    bench.complete(request("hello you", max_tokens=1))
    assert counters(bench).cached_prompt_tokens == 0
    bench.complete(request("hello you", max_tokens=1))
    assert (counters(bench).cached_prompt_tokens, counters(bench).prompt_tokens) == (8, 10)
    assert buckets(observed(bench).prompt_tokens) == {10: 2}


def test_several_sequences_are_one_request() -> None:
    bench = EngineBench(token_s=0.004)
    bench.complete(request("hello", max_tokens=4, n_sequences=2))
    found = observed(bench)
    assert (found.queue_s.count, found.first_token_s.count, found.prompt_tokens.count) == (1, 1, 1)
    assert buckets(found.generated_tokens) == {10: 1}
    assert found.generated_tokens.sum == 8
    assert buckets(found.inter_token_s) == {0.02: 6}
    assert outcomes(bench) == {Outcome.LENGTH: 1}
    assert counters(bench).finished == 2


def test_a_prompt_that_is_only_evaluated_has_no_first_token() -> None:
    bench = EngineBench()
    bench.complete(request("hello", max_tokens=0))
    found = observed(bench)
    assert (found.queue_s.count, found.first_token_s.count, found.inter_token_s.count) == (1, 0, 0)
    assert buckets(found.generated_tokens) == {1: 1}
    assert found.generated_tokens.sum == 0


def test_embeddings_count_in_steps_only() -> None:
    bench = EngineBench()
    bench.embed("hello")
    found = observed(bench)
    assert found.batch_tokens.sum == 5
    assert found.step_s.count == found.batch_tokens.count == 2
    assert (found.queue_s.count, found.generated_tokens.count, outcomes(bench)) == (0, 0, {})


def test_a_step_that_evaluates_nothing_is_not_measured() -> None:
    bench = EngineBench()
    bench.step()
    assert counters(bench).steps == 1
    assert observed(bench) == Distributions()


class TestOutcome:
    """How requests end."""

    def test_stop(self) -> None:
        bench = EngineBench()
        first = bench.complete(request("hello", max_tokens=1)).text
        bench.complete(request("hello", max_tokens=8, stop_texts=(first.encode(),)))
        assert outcomes(bench) == {Outcome.LENGTH: 1, Outcome.STOP: 1}

    def test_cancelled_while_it_runs_or_waits(self) -> None:
        bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=128))
        running, _ = bench.submit(request("hello"))
        waiting, _ = bench.submit(request("other"))
        bench.step()
        bench.engine.cancel(waiting)
        bench.engine.cancel(running)
        bench.engine.cancel(running)
        assert outcomes(bench) == {Outcome.CANCELLED: 2}
        assert observed(bench).generated_tokens.sum == 1
        assert observed(bench).queue_s.count == 1

    def test_failed(self) -> None:
        bench = EngineBench()
        bench.model.compute.fail_next = DecodeFailed("broken")
        bench.complete(request("hello", n_sequences=2))
        assert outcomes(bench) == {Outcome.FAILED: 1}
        assert observed(bench).step_s.count == 0

    def test_a_prompt_that_is_too_long(self) -> None:
        bench = EngineBench()
        bench.complete(request("x" * 500))
        assert outcomes(bench) == {Outcome.FAILED: 1}
        assert observed(bench).prompt_tokens.count == 0

    def test_stopping_cancels_what_runs_and_fails_what_waits(self) -> None:
        bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=128))
        bench.submit(request("hello"))
        bench.submit(request("other"))
        bench.step()
        bench.engine.stop()
        assert outcomes(bench) == {Outcome.CANCELLED: 1, Outcome.FAILED: 1}
