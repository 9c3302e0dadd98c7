"""Refused requests are advised to come back one after the other."""

from __future__ import annotations

import pytest

from service.engine.schedule.retries import MAX_RETRY_S, MIN_RETRY_S, RetryTimes


def told(retries: RetryTimes, n_refused: int, *, now_s: float = 100.0, held_s: float = 8.0, n: int = 6) -> list[float]:
    """What requests are told that are refused at the same time."""
    return [retries.next_s(now_s, held_s, n) for _ in range(n_refused)]


def test_each_has_a_place_of_its_own_until_the_queue_is_empty_and_then_they_begin_again() -> None:
    # Four slots that a request holds for 8 s: a place every 2 s, and 12 s for the six that wait.
    assert told(RetryTimes(4), 8) == [2, 4, 6, 8, 10, 12, 2, 4]


def test_time_that_passes_frees_places() -> None:
    retries = RetryTimes(4)
    assert told(retries, 3) == [2, 4, 6]
    assert told(retries, 1, now_s=103) == [5]
    assert told(retries, 1, now_s=200) == [2]


def test_a_shorter_queue_begins_again_sooner() -> None:
    retries = RetryTimes(4)
    assert told(retries, 3) == [2, 4, 6]
    assert told(retries, 2, n=2) == [2, 4]


def test_without_a_queue_all_wait_for_the_next_end() -> None:
    assert told(RetryTimes(4), 3, n=0) == [2, 2, 2]


@pytest.mark.parametrize(("held_s", "expected_s"), [(0.0, MIN_RETRY_S), (0.1, MIN_RETRY_S), (10_000, MAX_RETRY_S)])
def test_advice_has_bounds(held_s: float, expected_s: float) -> None:
    assert set(told(RetryTimes(4), 5, held_s=held_s)) == {expected_s}
