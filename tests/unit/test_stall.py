from __future__ import annotations

from service.stall import StallWatch
from service.testing.scripted_model import VirtualClock


def test_silence_is_counted_from_the_last_sign_of_life() -> None:
    clock = VirtualClock()
    watch = StallWatch(max_gap_s=1.0, clock=clock)
    assert watch.look("a") == 0
    for expected_s in (1, 2, 3):
        clock.advance(1.0)
        assert watch.look("a") == expected_s
    clock.advance(1.0)
    assert watch.look("b") == 0
    clock.advance(0.5)
    assert watch.look("b") == 0.5


def test_who_has_nothing_to_do_may_be_silent() -> None:
    clock = VirtualClock()
    watch = StallWatch(max_gap_s=1.0, clock=clock)
    for _ in range(5):
        clock.advance(1.0)
        assert watch.look("a", has_work=False) == 0
    clock.advance(1.0)
    assert watch.look("a", has_work=True) == 1


def test_time_in_which_nobody_looked_counts_little() -> None:
    """The whole process may have been stopped, and whom it watches with it."""
    clock = VirtualClock()
    watch = StallWatch(max_gap_s=1.0, clock=clock)
    watch.look("a")
    clock.advance(3600.0)
    assert watch.look("a") == 1
