from __future__ import annotations

import logging
import signal
from typing import TYPE_CHECKING

import gevent
import pytest
from gevent.event import AsyncResult, Event

from slotline.cli.serve.supervisor import CorePhase, CoreReport, Supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator

STALLED = CoreReport(CorePhase.STALLED, message="the engine has not finished a step for 60 s")
LOADING = CoreReport(CorePhase.STARTING, progress=0.5)
READY = CoreReport(CorePhase.READY, progress=1.0)
FAILED = CoreReport(CorePhase.FAILED, message="the file is broken")
PATIENCE_S = 10.0


class FakeChild:
    """A process that ends when the test says so, or at a signal."""

    def __init__(self, pid: int, *, ignores: frozenset[signal.Signals] = frozenset()) -> None:
        self.pid = pid
        self.signals: list[signal.Signals] = []
        self._ignores = ignores
        self._status: AsyncResult[int] = AsyncResult()

    def wait(self, timeout_s: float | None = None) -> int | None:
        # Time is not waited for: what would have timed out times out at once, but lets others run.
        if timeout_s is None:
            return self._status.get(timeout=PATIENCE_S)
        gevent.sleep(0)
        return self._status.get(block=False) if self._status.ready() else None

    def send(self, signum: signal.Signals) -> None:
        if self._status.ready():
            return
        self.signals.append(signum)
        if signum not in self._ignores:
            self._status.set(-signum)

    def end(self, status: int) -> None:
        self._status.set(status)


class FakeCores:
    """Starts fake cores, answers the probe, and remembers what the watcher was told."""

    def __init__(self, hang_timeout_s: float | None = 60.0) -> None:
        self.children: list[FakeChild] = []
        self.report: CoreReport | None = None
        self.told: list[str] = []
        self.now_s = 0.0
        self.ignores: frozenset[signal.Signals] = frozenset()
        self.failures_to_start = 0
        self.n_probes = 0
        self.has_served = False
        self.changed = Event()
        # What passes while a probe waits for its answer.
        self.probe_s = 0.0
        self.supervisor = Supervisor(
            self._start,
            self._probe,
            self,
            has_served=lambda: self.has_served,
            hang_timeout_s=hang_timeout_s,
            clock=lambda: self.now_s,
        )
        self.running = gevent.spawn(self.supervisor.run)

    def wait_for_start(self, number: int) -> FakeChild:
        self._wait_until(lambda: len(self.children) >= number)
        return self.children[number - 1]

    def wait_until_told(self, *what: str) -> None:
        self._wait_until(lambda: self.told == list(what))

    def loading(self, progress: float) -> None:
        self._tell(f"loading {progress}")

    def ready(self) -> None:
        self._tell("ready")

    def failed(self, message: str) -> None:
        self._tell(f"failed: {message}")

    def gave_up(self, reason: str) -> None:
        self._tell(f"gave up: {reason}")

    def refused(self, reason: str) -> None:
        self._tell(f"refused: {reason}")

    def _probe(self) -> CoreReport | None:
        self.now_s += self.probe_s
        self.n_probes += 1
        self.changed.set()
        return self.report

    def _tell(self, what: str) -> None:
        if self.told[-1:] != [what]:
            self.told.append(what)
            self.changed.set()

    def _start(self) -> FakeChild:
        if self.failures_to_start:
            self.failures_to_start -= 1
            raise BlockingIOError(11, "Resource temporarily unavailable")
        child = FakeChild(100 + len(self.children), ignores=self.ignores)
        self.children.append(child)
        self.changed.set()
        return child

    def wait_for_probes(self, number: int) -> None:
        """Wait until the core was asked so many times more."""
        enough = self.n_probes + number
        self._wait_until(lambda: self.n_probes >= enough)

    def _wait_until(self, condition: object) -> None:
        assert callable(condition)
        with gevent.Timeout(PATIENCE_S):
            while not condition():
                self.changed.clear()
                self.changed.wait()


@pytest.fixture
def cores() -> Iterator[FakeCores]:
    cores = FakeCores()
    yield cores
    cores.supervisor.kill()
    cores.running.join(PATIENCE_S)
    assert cores.running.successful()


def test_the_first_start_is_followed_until_the_core_serves(cores: FakeCores) -> None:
    cores.wait_for_start(1)
    cores.report = LOADING
    cores.wait_until_told("loading 0.5")
    cores.report = READY
    cores.wait_until_told("loading 0.5", "ready")
    assert cores.supervisor.phase is CorePhase.READY


def test_a_core_that_dies_is_started_again_and_only_the_first_start_is_shown(cores: FakeCores) -> None:
    cores.report = READY
    cores.wait_for_start(1)
    cores.wait_until_told("ready")
    cores.report = LOADING
    cores.children[0].end(-9)
    cores.wait_for_start(2)
    assert cores.supervisor.phase is CorePhase.STARTING
    cores.report = READY
    cores.children[1].end(1)
    cores.wait_for_start(3)
    assert cores.told == ["ready"]


def test_a_core_that_never_serves_is_given_up_after_three_deaths(cores: FakeCores) -> None:
    for number in (1, 2, 3):
        cores.wait_for_start(number).end(-9)
    cores.running.join(PATIENCE_S)
    assert cores.running.ready()
    assert len(cores.children) == 3
    assert cores.told == ["gave up: was killed by signal 9 (SIGKILL)"]


def test_a_core_that_served_too_shortly_to_be_seen_is_always_started_again(cores: FakeCores) -> None:
    """Whoever asked it in between was served, and so will be others."""
    for number in range(1, 5):
        child = cores.wait_for_start(number)
        # It served, and was killed before any probe could find out.
        cores.has_served = True
        child.end(-9)
    cores.wait_for_start(5)
    assert cores.told == []


def test_a_model_that_cannot_be_loaded_any_more_is_tried_again_and_again() -> None:
    """Its file is being replaced, or memory is short for a moment."""
    cores = _serving()
    cores.report = FAILED
    cores.children[0].end(-9)
    for number in (2, 3, 4):
        child = cores.wait_for_start(number)
        cores.wait_for_start(number + 1)
        assert child.signals == [signal.SIGKILL]
    cores.report = READY
    cores.wait_for_probes(10)
    assert cores.supervisor.phase is CorePhase.READY
    # People are told of the first start alone.
    assert cores.told == ["ready"]
    _end(cores)


def test_a_core_that_cannot_do_what_the_server_was_started_for_ends_it(cores: FakeCores) -> None:
    child = cores.wait_for_start(1)
    cores.report = CoreReport(CorePhase.FAILED, message="the projector is damaged", is_final=True)
    cores.running.join(PATIENCE_S)
    assert cores.running.ready()
    assert cores.told == ["refused: the projector is damaged"]
    assert child.signals == [signal.SIGKILL]
    assert len(cores.children) == 1


def test_what_was_served_before_is_tried_again_whatever_is_missing(cores: FakeCores) -> None:
    cores.report = READY
    cores.wait_for_start(1)
    cores.wait_until_told("ready")
    cores.report = CoreReport(CorePhase.FAILED, message="the projector is damaged", is_final=True)
    cores.children[0].end(-9)
    cores.wait_for_start(3)
    assert cores.told == ["ready"]


def test_a_model_that_cannot_be_loaded_after_it_served_unseen_is_tried_again(cores: FakeCores) -> None:
    cores.report = FAILED
    cores.has_served = True
    cores.wait_for_start(3)
    assert cores.told == []


def test_a_model_that_cannot_be_loaded_is_no_reason_to_start_again(cores: FakeCores) -> None:
    cores.wait_for_start(1)
    cores.report = FAILED
    cores.wait_until_told("failed: the file is broken")
    assert cores.supervisor.phase is CorePhase.FAILED
    cores.supervisor.stop(30.0)
    cores.running.join(PATIENCE_S)
    assert len(cores.children) == 1


def _serving(hang_timeout_s: float | None = 60.0) -> FakeCores:
    cores = FakeCores(hang_timeout_s)
    cores.report = READY
    cores.wait_for_start(1)
    cores.wait_until_told("ready")
    return cores


def _end(cores: FakeCores) -> None:
    cores.supervisor.kill()
    cores.running.join(PATIENCE_S)
    assert cores.running.successful()


def test_a_core_that_says_it_has_stalled_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    cores = _serving()
    cores.report = STALLED
    with caplog.at_level(logging.WARNING):
        cores.wait_for_start(2)
    assert cores.children[0].signals == [signal.SIGKILL]
    assert [record.__dict__["reason"] for record in caplog.records if record.getMessage() == "core died"] == [
        "was killed: the engine has not finished a step for 60 s"
    ]
    cores.report = READY
    cores.wait_for_probes(2)
    assert cores.supervisor.phase is CorePhase.READY
    assert cores.told == ["ready"]
    _end(cores)


def test_a_load_that_stalls_is_replaced_and_given_up_after_three_times(cores: FakeCores) -> None:
    cores.report = CoreReport(CorePhase.STALLED, message="loading the model has not got on for 600 s")
    cores.running.join(PATIENCE_S)
    assert [child.signals for child in cores.children] == [[signal.SIGKILL]] * 3
    assert cores.told == ["gave up: was killed: loading the model has not got on for 600 s"]


def test_a_core_that_does_not_answer_any_more_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    cores = _serving()
    asked_at_s = cores.now_s
    cores.report, cores.probe_s = None, 1.0
    with caplog.at_level(logging.WARNING):
        cores.wait_for_start(2)
    assert cores.children[0].signals == [signal.SIGKILL]
    assert cores.now_s - asked_at_s == pytest.approx(60, abs=2)
    assert "was killed, for it had not answered for 60 s" in [
        record.__dict__.get("reason") for record in caplog.records
    ]
    _end(cores)


def test_a_core_that_answers_now_and_then_is_left_alone() -> None:
    cores = _serving()
    cores.probe_s = 1.0
    for _ in range(5):
        cores.report = None
        cores.wait_for_probes(50)
        cores.report = READY
        cores.wait_for_probes(2)
    assert len(cores.children) == 1
    _end(cores)


def test_a_core_gets_a_minute_for_its_first_answer_however_short_the_limit() -> None:
    cores = FakeCores(hang_timeout_s=2.0)
    cores.probe_s = 1.0
    cores.wait_for_start(1)
    cores.wait_for_probes(50)
    assert cores.children[0].signals == []
    cores.wait_for_start(2)
    assert cores.children[0].signals == [signal.SIGKILL]
    _end(cores)


def test_time_in_which_this_process_did_not_look_counts_little() -> None:
    """It may have been stopped, or busy; then silence says nothing about the core."""
    cores = _serving()
    cores.report, cores.probe_s = None, 3600.0
    cores.wait_for_probes(5)
    assert cores.children[0].signals == []
    _end(cores)


def test_without_a_limit_a_silent_core_is_left_alone() -> None:
    cores = FakeCores(hang_timeout_s=None)
    cores.probe_s = 1.0
    cores.wait_for_start(1)
    cores.wait_for_probes(200)
    assert cores.children[0].signals == []
    _end(cores)


def test_a_start_that_fails_counts_as_a_death(cores: FakeCores) -> None:
    cores.failures_to_start = 3
    cores.running.join(PATIENCE_S)
    assert cores.told == ["gave up: could not be started: [Errno 11] Resource temporarily unavailable"]


def test_stopping_asks_and_does_not_start_again(cores: FakeCores) -> None:
    child = cores.wait_for_start(1)
    cores.report = READY
    cores.wait_until_told("ready")
    cores.supervisor.stop(30.0)
    cores.running.join(PATIENCE_S)
    assert cores.running.successful()
    assert child.signals == [signal.SIGTERM]
    assert len(cores.children) == 1


def test_a_core_that_ignores_the_request_is_killed() -> None:
    cores = FakeCores()
    cores.ignores = frozenset({signal.SIGTERM})
    child = cores.wait_for_start(1)
    cores.supervisor.stop(30.0)
    cores.running.join(PATIENCE_S)
    assert child.signals == [signal.SIGTERM, signal.SIGKILL]
    assert cores.running.successful()


def test_stopping_while_waiting_for_the_next_start_is_immediate(cores: FakeCores) -> None:
    cores.report = READY
    cores.wait_for_start(1)
    cores.wait_until_told("ready")
    cores.children[0].end(-9)
    cores.wait_for_start(2)
    cores.children[1].end(-9)
    gevent.sleep(0)
    cores.supervisor.stop(30.0)
    cores.running.join(PATIENCE_S)
    assert cores.running.successful()
    assert len(cores.children) == 2


def test_killing_does_not_wait(cores: FakeCores) -> None:
    child = cores.wait_for_start(1)
    cores.supervisor.kill()
    assert child.signals == [signal.SIGKILL]
