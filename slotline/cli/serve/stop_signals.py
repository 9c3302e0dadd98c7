"""SIGINT and SIGTERM: the first asks, the second insists."""

from __future__ import annotations

import os
import signal
import socket
import time
from typing import TYPE_CHECKING

import gevent
from gevent.event import Event

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)

#: A hub that has not noticed the first signal after this time hangs, and will not notice the next one either.
NOTICED_AFTER_S = 0.5
#: Some programs, timeout(1) among them, signal a process and then its group, and so the same request comes twice. The
#: hub may well have noticed the first one in between. Nobody presses keys as fast as this.
SAME_REQUEST_S = 0.1


class StopSignals:
    """Watches for the signals that stop a server.

    Attributes:
        requested: set in the hub after the first signal.
        before_exit: run at the second signal, the last one first, before the process exits with status 1; must not
            block.
    """

    def __init__(self) -> None:
        self.requested = Event()
        self.before_exit: list[Callable[[], None]] = []
        self._requested_s: float | None = None
        # A signal handler runs between any two instructions; this is the one thing of gevent it may touch.
        self._wake = gevent.get_hub().loop.async_()
        self._wake.start(self.requested.set)
        # Python runs handlers between its own instructions. A signal that comes when the hub is just about to wait in
        # the kernel would not be handled before something else ends that wait; a byte that can be read ends it.
        self._arrivals, self._arrive = socket.socketpair()
        self._arrivals.setblocking(False)
        self._arrive.setblocking(False)
        self._watch = gevent.get_hub().loop.io(self._arrivals.fileno(), 1)
        self._watch.start(self._note_arrival)
        signal.set_wakeup_fd(self._arrive.fileno(), warn_on_full_buffer=False)
        for signum in SIGNALS:
            signal.signal(signum, self._handle)

    def _note_arrival(self) -> None:
        """Take the bytes from the pipe; by then the handlers have run."""
        self._arrivals.recv(4096)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        now_s = time.monotonic()
        if self._requested_s is None:
            self._requested_s = now_s
            self._wake.send()
            return
        passed_s = now_s - self._requested_s
        if passed_s > (SAME_REQUEST_S if self.requested.is_set() else NOTICED_AFTER_S):
            self._exit_at_once()

    def _exit_at_once(self) -> None:
        try:
            os.write(2, b"Received second interrupt, terminating immediately.\n")
            for action in reversed(self.before_exit):
                action()
        finally:
            os._exit(1)
