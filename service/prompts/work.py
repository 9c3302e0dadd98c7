"""The preparation of one caller's prompt: it takes turns with others, and stops when its caller has gone."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Abandoned(Exception):
    """Nobody waits for the result any more. Raised inside the work, to end it."""


class Turns:
    """Lets a few threads run at a time; of those that wait, the one that has waited longest is next.

    Args:
        n_at_once: threads that run at a time.
    """

    def __init__(self, n_at_once: int) -> None:
        self._n_free = n_at_once
        self._lock = threading.Lock()
        self._gates: deque[threading.Lock] = deque()

    @property
    def n_waiting(self) -> int:
        """Threads that wait for a turn."""
        return len(self._gates)

    def take(self) -> None:
        """Wait for a turn."""
        with self._lock:
            if self._n_free:
                self._n_free -= 1
                return
            gate = self._join()
        gate.acquire()

    def give_back(self) -> None:
        """End the turn."""
        with self._lock:
            if self._gates:
                self._gates.popleft().release()
            else:
                self._n_free += 1

    def pass_on(self) -> None:
        """Let every thread that waits have a turn, then continue."""
        with self._lock:
            if not self._gates:
                return
            gate = self._join()
            self._gates.popleft().release()
        gate.acquire()

    def _join(self) -> threading.Lock:
        gate = threading.Lock()
        gate.acquire()
        self._gates.append(gate)
        return gate


class Work:
    """What a preparation knows about its caller; it calls ``pause`` between chunks.

    Args:
        turns: those that it shares with others; it holds one while it runs. None if it runs alone.
    """

    def __init__(self, turns: Turns | None = None) -> None:
        self._turns = turns
        self._lock = threading.Lock()
        self._is_abandoned = False
        self._stop: Callable[[], None] | None = None

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody waits for the result."""
        return self._is_abandoned

    def abandon(self) -> None:
        """Stop it as soon as possible; any thread."""
        with self._lock:
            self._is_abandoned = True
            stop, self._stop = self._stop, None
        if stop is not None:
            stop()

    def pause(self) -> None:
        """Between two chunks: let others have their turn.

        Raises:
            Abandoned: nobody waits for the result.
        """
        if self._turns is not None and not self._is_abandoned:
            self._turns.pass_on()
        if self._is_abandoned:
            raise Abandoned

    @contextmanager
    def waiting(self, stop: Callable[[], None]) -> Iterator[None]:
        """A block in which it waits for another process, without holding a turn.

        Args:
            stop: ends the wait; called from another thread once nobody waits for the result.

        Raises:
            Abandoned: nobody waits for the result, found on entry or on exit.
        """
        with self._lock:
            if self._is_abandoned:
                raise Abandoned
            self._stop = stop
        if self._turns is not None:
            self._turns.give_back()
        try:
            yield
        finally:
            with self._lock:
                self._stop = None
            if self._turns is not None:
                self._turns.take()
            if self._is_abandoned:
                raise Abandoned
