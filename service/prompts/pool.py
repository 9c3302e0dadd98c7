"""A few threads that tokenise and render, so that neither the event loop nor the engine waits for it.

Tokenising takes 0.3 s per megabyte of English, so one long prompt would be felt by everybody on the event loop and on
the engine thread alike. Long inputs have a thread of their own here, for the same reason: short ones overtake them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from service.errors import Draining, QueueFull

T = TypeVar("T")

#: Inputs above this many bytes (about 20 ms of tokenising) take the long lane.
LONG_BYTES = 64 << 10
#: Jobs that may wait or run at once, per lane. Each holds its input, so this bounds memory too.
MAX_JOBS_SHORT, MAX_JOBS_LONG = 1024, 16


class PreparationPool:
    """Runs jobs in threads, for callers on one event loop."""

    def __init__(self) -> None:
        self._short = _Lane("prepare", n_threads=2, max_jobs=MAX_JOBS_SHORT)
        self._long = _Lane("prepare-long", n_threads=1, max_jobs=MAX_JOBS_LONG)
        self._is_closed = False

    async def run(self, n_bytes: int, job: Callable[[], T]) -> T:
        """Run a job and return its result. A cancelled caller's job is dropped if it has not begun.

        Args:
            n_bytes: size of the job's input.
            job: called without arguments in a thread.

        Raises:
            QueueFull: too many jobs are waiting.
            Draining: the pool was closed.
        """
        if self._is_closed:
            raise Draining
        lane = self._long if n_bytes > LONG_BYTES else self._short
        return await asyncio.wrap_future(lane.submit(job))

    def close(self) -> None:
        """Drop what has not begun and take nothing more; running jobs end on their own."""
        self._is_closed = True
        for lane in (self._short, self._long):
            lane.executor.shutdown(wait=False, cancel_futures=True)


class _Lane:
    def __init__(self, name: str, *, n_threads: int, max_jobs: int) -> None:
        self.executor = ThreadPoolExecutor(n_threads, thread_name_prefix=name)
        self._max_jobs = max_jobs
        self._jobs: set[Future[object]] = set()

    def submit(self, job: Callable[[], T]) -> Future[T]:
        if len(self._jobs) >= self._max_jobs:
            raise QueueFull(self._max_jobs, retry_after_s=1.0)
        future = self.executor.submit(job)
        # A job that runs counts until it ends, even if nobody waits for it any more.
        self._jobs.add(future)  # type: ignore[arg-type]
        future.add_done_callback(self._jobs.discard)
        return future
