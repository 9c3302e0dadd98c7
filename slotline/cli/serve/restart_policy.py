"""When a core that died is started again."""

from __future__ import annotations

FIRST_DELAY_S = 0.1
MAX_DELAY_S = 5.0
STABLE_AFTER_S = 30.0
MAX_DEATHS_BEFORE_READY = 3


class RestartPolicy:
    """Exponential back-off, forgiven after a long life; a core that was never ready gets few chances."""

    def __init__(self) -> None:
        self._delay_s = FIRST_DELAY_S
        self._deaths = 0
        self._was_ready = False

    def became_ready(self) -> None:
        """The core serves; from now on it is always started again."""
        self._was_ready = True

    def died(self, uptime_s: float) -> float | None:
        """The core died after ``uptime_s``.

        Returns:
            Seconds to wait before the next start, or None to give up.
        """
        self._deaths += 1
        if not self._was_ready and self._deaths >= MAX_DEATHS_BEFORE_READY:
            return None
        if uptime_s >= STABLE_AFTER_S:
            self._delay_s = FIRST_DELAY_S
        delay_s = self._delay_s
        self._delay_s = min(2 * self._delay_s, MAX_DELAY_S)
        return delay_s
