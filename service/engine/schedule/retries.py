"""When refused requests are advised to come back."""

from __future__ import annotations

#: Bounds of the advice, in seconds.
MIN_RETRY_S, MAX_RETRY_S = 1.0, 60.0


class RetryTimes:
    """Spreads those who come back over the time that the queue needs to empty.

    A place gets free whenever a slot ends a request. If all were told when the next one does, all but one of them would
    be refused again, which costs time that answers need. So each is told of a place of its own, up to the moment at
    which all who wait now have begun: whoever comes then finds room, even if nobody else comes back.

    Args:
        n_slots: requests that are served at a time.
    """

    def __init__(self, n_slots: int) -> None:
        self._n_slots = max(n_slots, 1)
        self._told_s = 0.0

    def next_s(self, now_s: float, held_s: float, n_waiting: int) -> float:
        """Seconds from now after which the request that is refused now may succeed.

        Args:
            now_s: the time, in seconds.
            held_s: how long a request holds a slot, in seconds; 0 if none has ended yet.
            n_waiting: requests that wait now.
        """
        interval_s = held_s / self._n_slots
        told_s = max(self._told_s, now_s) + interval_s
        if told_s > now_s + interval_s * n_waiting:
            told_s = now_s + interval_s
        self._told_s = told_s
        return min(max(told_s - now_s, MIN_RETRY_S), MAX_RETRY_S)
