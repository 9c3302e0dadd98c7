"""Watches whether the engine makes progress, with its steps and with loading the model."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from service.stall import StallWatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.engine.thread import Progress

#: Loading may go without a sign of life for this many times as long as a step.
LOAD_FACTOR = 10.0
_LOOKS = 10
_MAX_INTERVAL_S = 1.0


class EngineWatch:
    """Notices that an engine with work to do finishes no step.

    Loading consists of long calls of the library, the longest of which reads the whole file. So progress there is what
    the library reports and what the process reads from disks, and the limit is ten times as long.

    Args:
        timeout_s: the longest time that a step may take.
        clock: monotonic seconds.
        bytes_read: what the process has read from disks so far.

    Attributes:
        interval_s: how often to look.
    """

    def __init__(
        self,
        timeout_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        bytes_read: Callable[[], int] | None = None,
    ) -> None:
        self.interval_s = min(timeout_s / _LOOKS, _MAX_INTERVAL_S)
        self._timeout_s = timeout_s
        self._watch = StallWatch(2 * self.interval_s, clock)
        self._bytes_read = bytes_read or bytes_read_from_disks

    def look(self, progress: Progress, *, is_loading: bool) -> str:
        """What has stalled and for how long, as a sentence without its end; empty if nothing has."""
        if is_loading:
            limit_s = LOAD_FACTOR * self._timeout_s
            silent_s = self._watch.look((progress.n_turns, self._bytes_read()))
            what = "loading the model has not got on"
        else:
            limit_s = self._timeout_s
            silent_s = self._watch.look(progress.n_turns, has_work=progress.has_work)
            what = "the engine has not finished a step"
        return f"{what} for {limit_s:g} s" if silent_s >= limit_s else ""


def bytes_read_from_disks() -> int:
    """Bytes that were read from disks for this process, mapped files included; 0 if the kernel does not tell."""
    try:
        found = re.search(r"^read_bytes: (\d+)$", Path("/proc/self/io").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0
