"""Notices that something with work to do makes no progress."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class StallWatch:
    """Counts the seconds since the last sign of life, leaving out those in which the watcher itself did not run.

    A process that was stopped, or a machine that slept, says nothing about what is watched.

    Args:
        max_gap_s: most seconds between two looks that count; to be longer than usually passes between them.
        clock: monotonic seconds.
    """

    def __init__(self, max_gap_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_gap_s = max_gap_s
        self._clock = clock
        self._seen_s = clock()
        self._sign: object = None
        self._silent_s = 0.0

    def look(self, sign: object, *, has_work: bool = True) -> float:
        """Look; to be called again and again.

        Args:
            sign: changes whenever there is progress.
            has_work: whether progress can be expected.

        Returns:
            Seconds without a sign of life.
        """
        now_s = self._clock()
        elapsed_s = min(now_s - self._seen_s, self._max_gap_s)
        self._seen_s = now_s
        if sign != self._sign or not has_work:
            self._sign = sign
            self._silent_s = 0.0
        else:
            self._silent_s += elapsed_s
        return self._silent_s
