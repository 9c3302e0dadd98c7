"""Long work in a background thread, so that the hub goes on serving.

Python hands the interpreter to another thread after each switch interval, so the work need not be written in pieces:
only a single long call into C stops all threads. What runs here must not touch greenlets.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

import gevent

# gevent imports it when it is used first: a request must not fail for want of a file descriptor.
import gevent.threadpool
from gevent.lock import BoundedSemaphore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Value = TypeVar("Value")

#: While such work runs, the hub gets the interpreter after this time instead of 5 ms, because a streamed event needs it
#: several times. Without such work, a short interval would only cost.
SWITCH_INTERVAL_S = 0.0005


class BackgroundThread:
    """Runs one piece of long work at a time, in a thread of gevent's pool. Further callers wait; others do not."""

    _n_busy: ClassVar[int] = 0
    _usual_interval_s: ClassVar[float] = 0.0

    def __init__(self) -> None:
        self._place = BoundedSemaphore(1)

    def run(self, work: Callable[[], Value]) -> Value:
        """Call a function in the other thread, wait for it in the calling greenlet, and return or raise its outcome."""
        # The pool writes every error that it sees to stderr, though it is the caller's to deal with.
        outcome: list[Value | Exception] = []

        def settle() -> bool:
            try:
                outcome.append(work())
            except Exception as error:
                outcome.append(error)
                return False
            return True

        with self._place, self._switching_often():
            is_done = gevent.get_hub().threadpool.apply(settle)
        result = outcome.pop()
        try:
            if is_done:
                return cast("Value", result)
            raise cast("Exception", result)
        finally:
            # Otherwise the error, its traceback and this frame keep each other, and what the work held, in memory.
            del result

    @classmethod
    @contextmanager
    def _switching_often(cls) -> Iterator[None]:
        if cls._n_busy == 0:
            cls._usual_interval_s = sys.getswitchinterval()
            sys.setswitchinterval(min(SWITCH_INTERVAL_S, cls._usual_interval_s))
        cls._n_busy += 1
        try:
            yield
        finally:
            cls._n_busy -= 1
            if cls._n_busy == 0:
                sys.setswitchinterval(cls._usual_interval_s)
