"""A child process that greenlets can wait for."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import gevent
from gevent.event import Event
from gevent.socket import wait_read

if TYPE_CHECKING:
    import signal
    from collections.abc import Mapping, Sequence


class ChildProcess:
    """A running child.

    It leads a process group of its own, so that the terminal's Ctrl-C reaches only us and the child is stopped in
    order. Must be created in the main thread: the kernel kills the child when the thread that started it ends.

    Args:
        arguments: the command line.
        environment: all variables; None for ours.

    Raises:
        OSError: it cannot be started, or not be waited for; then it does not run.
    """

    def __init__(self, arguments: Sequence[str], *, environment: Mapping[str, str] | None = None) -> None:
        self._popen = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, process_group=0, env=environment)
        try:
            # A pidfd becomes readable when its process ends. Popen.wait() would stop the whole hub instead.
            self._pidfd = os.pidfd_open(self._popen.pid)
        except OSError:
            self._popen.kill()
            self._popen.wait()
            raise
        self._ended = Event()
        gevent.spawn(self._reap)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Wait until it has ended, without stopping other greenlets.

        Returns:
            Its exit status, negative for a signal, or None if ``timeout_s`` passed first.
        """
        self._ended.wait(timeout_s)
        return self._popen.returncode

    def send(self, signum: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        self._popen.send_signal(signum)

    def _reap(self) -> None:
        try:
            wait_read(self._pidfd)
        finally:
            os.close(self._pidfd)
        self._popen.wait()
        self._ended.set()
