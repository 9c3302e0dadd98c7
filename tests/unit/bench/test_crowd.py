"""Crowds: everything that becomes of a request is counted once, under its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.harness.crowd import CrowdResult, closed_crowd, open_crowd
from bench.harness.errors import BenchError, RefusedError
from tests.unit.bench.scripted_target import ScriptedTarget, timing

if TYPE_CHECKING:
    from bench.harness.load import StreamTiming

#: How long the crowds come: all of their requests are decided within the first turns of the loop.
SECONDS = 0.1
ANSWER = timing(4, 1.0, 2.0)


def _script(*answers: StreamTiming | Exception) -> ScriptedTarget:
    """Each answer once, then none."""
    return ScriptedTarget(lambda number: answers[number] if number < len(answers) else None)


async def test_a_closed_crowd_counts_answers_refusals_failures_and_whom_it_sends_away() -> None:
    refusal = RefusedError("full", retry_after_s=0.0)
    target = _script(ANSWER, refusal, BenchError("no final event"), ConnectionResetError("gone"), ANSWER)
    outcome = await closed_crowd(target, n_clients=8, n_tokens=4, seconds=SECONDS)
    assert (len(outcome.answered), outcome.n_refused) == (2, 1)
    assert outcome.failures == ["BenchError: no final event", "ConnectionResetError: gone"]
    # The two that failed wait before they come back; the other six were served without end.
    assert outcome.n_abandoned == target.n_cancelled == 6
    assert outcome.goodput == pytest.approx(8 / SECONDS)


async def test_a_refusal_without_a_time_to_come_back_is_a_failure() -> None:
    target = _script(RefusedError("full", retry_after_s=None), RefusedError("full", retry_after_s=60.0))
    outcome = await closed_crowd(target, n_clients=2, n_tokens=4, seconds=SECONDS)
    assert (outcome.n_refused, len(outcome.failures), outcome.orderly_share) == (1, 1, 0.5)


async def test_an_open_crowd_comes_once_each_and_at_the_same_moments_every_time() -> None:
    counts = set()
    for _ in range(2):
        outcome = await open_crowd(ScriptedTarget(lambda number: ANSWER), 500.0, n_tokens=4, seconds=SECONDS)
        counts.add(len(outcome.answered) + outcome.n_abandoned)
    assert len(counts) == 1
    assert 25 < counts.pop() < 75


async def test_an_error_of_the_benchmark_itself_is_not_counted_but_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        await closed_crowd(_script(ZeroDivisionError()), n_clients=2, n_tokens=4, seconds=60.0)


def test_a_server_that_turned_nobody_away_was_orderly() -> None:
    assert CrowdResult(seconds=1.0).orderly_share == 1.0
