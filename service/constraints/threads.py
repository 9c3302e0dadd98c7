"""Threads that compile."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

#: The library compiles rules that refer to each other by recursion, and the process dies if the stack is too small: a
#: schema of the allowed size, in which each object refers to the next one, takes some 100 MB. What is not touched costs
#: nothing.
STACK_BYTES = 256 << 20

_Job = tuple[Future[T], "Callable[[], T]"]


class CompileThreads:
    """Runs jobs in a few threads with large stacks, which start with the first job and never keep a process alive.

    Args:
        n_threads: jobs that run at once.
    """

    def __init__(self, n_threads: int) -> None:
        self._n_threads = n_threads
        self._jobs: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._has_started = False
        self._is_closed = False

    def submit(self, job: Callable[[], T]) -> Future[T]:
        """Run a job as soon as a thread is free; after ``close``, the future is cancelled."""
        future: Future[T] = Future()
        with self._lock:
            if self._is_closed:
                future.cancel()
                return future
            if not self._has_started:
                self._start()
            self._jobs.put((future, job))
        return future

    def close(self) -> None:
        """Cancel what has not begun; threads end once they are done with what has."""
        with self._lock:
            self._is_closed = True
            with contextlib.suppress(Empty):
                while (waiting := self._jobs.get_nowait()) is not None:
                    waiting[0].cancel()
            for _ in range(self._n_threads):
                self._jobs.put(None)

    def _start(self) -> None:
        usual = threading.stack_size(STACK_BYTES)
        try:
            for number in range(self._n_threads):
                threading.Thread(target=self._run, name=f"compile-{number}", daemon=True).start()
        finally:
            threading.stack_size(usual)
        self._has_started = True

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, call = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = call()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)
            del future, call, job
