"""Watches that the engine gets on: with its steps, and with loading the model."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from service.stall import StallWatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.engine.thread import Progress

#: A model may be loaded for so many times the limit of a step without a sign of life.
LOAD_FACTOR = 10.0
_LOOKS = 10
_MAX_INTERVAL_S = 1.0


class EngineWatch:
    """Finds out that an engine with work does not finish a step.

    Loading ends in long calls of the library, the longest of which reads the whole file. So what counts there is
    progress that the library reports, and bytes that the process reads from disks, and the limit is ten times as long.

    Args:
        timeout_s: the longest time without a step.
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
        """What has stalled and for how long, in words; empty if all is well."""
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
    """What this process has had read from disks, mapped files included; 0 where the kernel does not say."""
    try:
        found = re.search(r"^read_bytes: (\d+)$", Path("/proc/self/io").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0
