"""Keeps a core running."""

from __future__ import annotations

import enum
import logging
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gevent.event import Event

from service.config import DEFAULT_HANG_TIMEOUT_S
from service.stall import StallWatch
from slotline.cli.serve.process import describe_exit
from slotline.cli.serve.restart_policy import RestartPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

POLL_INTERVAL_S = 0.1
#: Seconds between two probes of a core that serves; fewer if a hang is to be noticed sooner.
WATCH_INTERVAL_S = 5.0
#: Two probes are further apart than this (an interval, and a probe without answer) only if this process did not run.
MAX_GAP_S = WATCH_INTERVAL_S + 2.0
#: Seconds that a core has at least until its first answer: a busy machine takes long to import everything.
FIRST_ANSWER_S = 60.0
#: A core that is still loading has no requests to finish.
ABORT_TIMEOUT_S = 2.0
#: Seconds that a core may need to end after the drain.
EXIT_TIMEOUT_S = 5.0


class CorePhase(enum.Enum):
    """How far a core is."""

    STARTING = "starting"
    READY = "ready"
    STALLED = "stalled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class CoreReport:
    """What a core says about itself.

    Attributes:
        phase: how far it is.
        progress: part of the model that is loaded, 0 to 1.
        message: why loading failed, what has stalled, or empty.
        is_final: of a core that has failed, whether the server is to end: it was started for what it cannot do.
    """

    phase: CorePhase
    progress: float = 0.0
    message: str = ""
    is_final: bool = False


class Child(Protocol):
    """The process that a core runs in; see ``ChildProcess``."""

    @property
    def pid(self) -> int:
        """Its process id."""

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait until it has ended; its exit status, or None after ``timeout_s``."""

    def send(self, signum: signal.Signals) -> None:
        """Send a signal."""


class Watcher(Protocol):
    """Learns how the first start of the core goes."""

    def loading(self, progress: float) -> None:
        """The model is being loaded, 0 to 1."""

    def ready(self) -> None:
        """The core serves for the first time."""

    def failed(self, message: str) -> None:
        """The model cannot be loaded; the core stays up and says so."""

    def gave_up(self, reason: str) -> None:
        """The core died again and again before it ever served."""

    def refused(self, reason: str) -> None:
        """The server cannot do what it was started for, and ends."""


class Supervisor:
    """Starts a core, watches it, and starts it again when it dies, hangs, or cannot load its model any more.

    All methods belong to greenlets of the main thread.

    Args:
        start: starts the process.
        probe: asks the core how far it is; None while it cannot be reached.
        watcher: learns how the first start goes.
        has_served: whether a core has ever served, however shortly: it may die before a probe finds out.
        hang_timeout_s: how long a core may leave questions unanswered before it is replaced; it reports by itself that
            its engine has stalled. None for any time.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        start: Callable[[], Child],
        probe: Callable[[], CoreReport | None],
        watcher: Watcher,
        *,
        has_served: Callable[[], bool] = lambda: False,
        hang_timeout_s: float | None = DEFAULT_HANG_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._start = start
        self._probe = probe
        self._watcher = watcher
        self._has_served = has_served
        self._hang_timeout_s = hang_timeout_s
        self._clock = clock
        self._policy = RestartPolicy()
        self._child: Child | None = None
        self._phase = CorePhase.STARTING
        self._was_ready = False
        self._is_refused = False
        self._stopping = Event()

    @property
    def phase(self) -> CorePhase:
        """How far the core is now."""
        return self._phase

    def run(self) -> None:
        """Supervise until ``stop`` is called or the core is given up."""
        while not self._stopping.is_set():
            self._phase = CorePhase.STARTING
            started_s = self._clock()
            reason = self._live()
            self._phase = CorePhase.STARTING
            if self._stopping.is_set() or self._is_refused:
                return
            if self._has_served():
                self._policy.became_ready()
            delay_s = self._policy.died(self._clock() - started_s)
            if delay_s is None:
                logger.error("core given up", extra={"reason": reason})
                self._watcher.gave_up(reason)
                return
            logger.warning("core died", extra={"reason": reason, "restart_in_s": delay_s})
            self._stopping.wait(delay_s)

    def stop(self, drain_timeout_s: float) -> None:
        """End the core: with SIGTERM, so that it finishes what runs, and with SIGKILL if it takes too long.

        Args:
            drain_timeout_s: what the core gives running requests.
        """
        self._stopping.set()
        if self._child is None:
            return
        self._child.send(signal.SIGTERM)
        patience_s = drain_timeout_s + EXIT_TIMEOUT_S if self._phase is CorePhase.READY else ABORT_TIMEOUT_S
        if self._child.wait(patience_s) is None:
            logger.warning(
                "core killed", extra={"pid": self._child.pid, "reason": f"still there {patience_s:g} s after SIGTERM"}
            )
            self._child.send(signal.SIGKILL)
            self._child.wait()

    def kill(self) -> None:
        """Kill the core at once, without waiting."""
        self._stopping.set()
        if self._child is not None:
            self._child.send(signal.SIGKILL)

    def _live(self) -> str:
        """Run one core; returns how it ended, as a predicate of it."""
        try:
            child = self._child = self._start()
        except OSError as error:
            # Out of processes or memory; that may pass.
            return f"could not be started: {error}"
        logger.info("core started", extra={"pid": child.pid})
        reason = self._follow(child)
        if reason:
            child.send(signal.SIGKILL)
        status = child.wait()
        while status is None:
            status = child.wait()
        return reason or describe_exit(status)

    def _follow(self, child: Child) -> str:
        """Watch the core until it ends, or must be replaced; returns why it must, or an empty text if it ended."""
        silence = StallWatch(MAX_GAP_S, self._clock)
        n_answers = 0
        interval_s: float | None = POLL_INTERVAL_S
        while child.wait(interval_s) is None:
            # While we are being stopped, the connection to the core may be closed already.
            report = None if self._stopping.is_set() else self._probe()
            if self._stopping.is_set():
                continue
            n_answers += report is not None
            silent_s = silence.look(n_answers)
            if report is None:
                if self._is_too_long(silent_s, n_answers):
                    return f"was killed, for it had not answered for {silent_s:.0f} s"
                continue
            is_news = report.phase is not self._phase
            self._phase = report.phase
            match report.phase:
                case CorePhase.STARTING if not self._was_ready:
                    self._watcher.loading(report.progress)
                case CorePhase.STALLED:
                    return f"was killed: {report.message}"
                case CorePhase.READY:
                    interval_s = self._watch_interval_s
                    if is_news:
                        self._became_ready()
                case CorePhase.FAILED:
                    logger.error("unable to load model", extra={"reason": report.message})
                    if self._was_ready or self._has_served():
                        return f"was ended, for it could not load its model: {report.message}"
                    if report.is_final:
                        self._is_refused = True
                        self._watcher.refused(report.message)
                        return f"was ended: {report.message}"
                    # It stays up and says so.
                    self._watcher.failed(report.message)
                    interval_s = None
        return ""

    @property
    def _watch_interval_s(self) -> float | None:
        """Seconds between two probes of a core that serves; None if it is not probed."""
        return None if self._hang_timeout_s is None else min(self._hang_timeout_s / 4, WATCH_INTERVAL_S)

    def _is_too_long(self, silent_s: float, n_answers: int) -> bool:
        if self._hang_timeout_s is None:
            return False
        return silent_s >= (self._hang_timeout_s if n_answers else max(self._hang_timeout_s, FIRST_ANSWER_S))

    def _became_ready(self) -> None:
        if self._was_ready:
            logger.info("core is ready again")
        else:
            self._was_ready = True
            self._policy.became_ready()
            self._watcher.ready()
