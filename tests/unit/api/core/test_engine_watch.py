"""When an engine counts as stalled."""

from __future__ import annotations

import re
from pathlib import Path

from service.api.core.engine_watch import EngineWatch, bytes_read_from_disks
from service.engine.thread import Progress
from service.testing.scripted_model import VirtualClock

WORKING, RESTING = Progress(1, has_work=True), Progress(1, has_work=False)


class Watched:
    """A watch whose time and reading the test makes."""

    def __init__(self, timeout_s: float) -> None:
        self.clock = VirtualClock()
        self.n_read = 0
        self.watch = EngineWatch(timeout_s, clock=self.clock, bytes_read=lambda: self.n_read)

    def look_for(self, seconds: float, progress: Progress, *, is_loading: bool = False) -> str:
        """Look again and again, so long; what the last look found."""
        found = ""
        for _ in range(round(seconds / self.watch.interval_s)):
            self.clock.advance(self.watch.interval_s)
            found = self.watch.look(progress, is_loading=is_loading)
        return found


def test_work_without_a_step_has_stalled_after_the_limit() -> None:
    watched = Watched(60.0)
    watched.watch.look(WORKING, is_loading=False)
    assert watched.look_for(59, WORKING) == ""
    assert watched.look_for(1, WORKING) == "the engine has not finished a step for 60 s"
    # It may come back, as after a page that took long to come from a disk.
    assert watched.look_for(1, Progress(2, has_work=True)) == ""


def test_an_engine_that_rests_never_stalls() -> None:
    watched = Watched(2.5)
    assert watched.look_for(1000, RESTING) == ""


def test_loading_has_ten_times_as_long() -> None:
    watched = Watched(2.5)
    watched.watch.look(WORKING, is_loading=True)
    assert watched.look_for(24, WORKING, is_loading=True) == ""
    assert watched.look_for(1, WORKING, is_loading=True) == "loading the model has not got on for 25 s"


def test_reading_from_a_slow_disk_is_getting_on() -> None:
    """One call of the library maps the file and reads all of it, which for huge models takes longer than any limit."""
    watched = Watched(2.5)
    for _ in range(100):
        watched.n_read += 4096
        assert watched.look_for(10, WORKING, is_loading=True) == ""


def test_reports_of_loading_are_getting_on() -> None:
    watched = Watched(2.5)
    for n_reports in range(100):
        assert watched.look_for(10, Progress(n_reports, has_work=True), is_loading=True) == ""


def test_small_limits_are_looked_at_more_often() -> None:
    assert EngineWatch(60.0).interval_s == 1.0
    assert EngineWatch(0.5).interval_s == 0.05


def test_bytes_read_are_what_the_kernel_says() -> None:
    before = bytes_read_from_disks()
    told = re.search(r"^read_bytes: (\d+)$", Path("/proc/self/io").read_text(), re.MULTILINE)
    assert told is not None
    assert before <= int(told[1]) <= bytes_read_from_disks()
