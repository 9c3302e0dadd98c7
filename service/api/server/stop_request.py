"""The signals that stop a core: the first asks, the second insists."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

#: Some programs, timeout(1) among them, signal a process and then its group, and so the same request comes twice.
SAME_REQUEST_S = 0.1


class StopRequest:
    """Whether a core was asked to stop.

    Args:
        is_supervised: whether only the first signal counts.
        clock: monotonic seconds.
        give_up: ends the process at once; called by the second signal.

    Attributes:
        requested: set by the first signal.
    """

    def __init__(
        self,
        *,
        is_supervised: bool,
        clock: Callable[[], float] = time.monotonic,
        give_up: Callable[[], None] | None = None,
    ) -> None:
        self.requested = asyncio.Event()
        self._clock = clock
        self._give_up = give_up or _exit_at_once
        self._is_supervised = is_supervised
        self._requested_s = 0.0

    def listen(self) -> None:
        """Take SIGTERM and SIGINT of this process on the running event loop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.on_signal)

    def on_signal(self) -> None:
        """Take a signal."""
        now_s = self._clock()
        if not self.requested.is_set():
            self._requested_s = now_s
            self.requested.set()
        elif not self._is_supervised and now_s - self._requested_s > SAME_REQUEST_S:
            self._give_up()


def _exit_at_once() -> None:
    logger.warning("second signal, terminating immediately")
    logging.shutdown()
    os._exit(1)
