"""Where prompts are tokenised and rendered, so that neither the event loop nor the engine waits for long.

Tokenising takes 0.3 s per megabyte of English, so one long prompt would be felt by everybody on the event loop and on
the engine thread alike. What takes no longer than handing it to a thread and back is done on the loop, as long as that
takes a small part of the loop's time. For all else there are threads, in five lanes that keep callers from waiting for
each other:

- short texts, two threads;
- short conversations, whose template may take seconds, so that texts do not wait for templates;
- short requests with constraints, which may take seconds to compile;
- requests with pictures, which take seconds to encode: a thread each, for most of them wait for that;
- long inputs, a thread each, of which one goes on at a time: they take turns after each chunk of some 15 ms, so an
  honest prompt of 100 kB is ready after a few turns of those beside it, however long these are.

Work stops at its next chunk once its caller has gone or the pool is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from service.errors import Draining, QueueFull
from service.prompts.memory import return_memory
from service.prompts.work import Abandoned, Turns, Work

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

#: Inputs above this many bytes (about 20 ms of tokenising) take the long lane.
LONG_BYTES = 64 << 10
#: Quick jobs may take this part of the event loop's time, ...
LOOP_SHARE = 0.25
#: ... and so many seconds more at once.
LOOP_BURST_S = 0.002
#: Jobs that may wait or run at once, per lane.
MAX_JOBS_SHORT, MAX_JOBS_LONG = 1024, 16
#: Bytes of all inputs in a lane. A job needs some 8 times as much, 30 times at worst, with a token for every byte.
MAX_BYTES = 32 << 20
#: The same where there are pictures, which need no more than they have; texts beside them count so many times.
MAX_PICTURE_BYTES, TEXT_WEIGHT = 16 * MAX_BYTES, 16
#: Jobs with pictures. Those wait for a process, before which fewer of them may wait.
MAX_JOBS_PICTURES = 64
#: How long after the last large input memory is given back.
MEMORY_DELAY_S = 2.0


@dataclass(frozen=True, slots=True)
class LaneLoad:
    """What a lane has to do.

    Attributes:
        n_jobs: jobs that wait or run.
        n_abandoned: those of them whose caller has gone, and which end at their next chunk.
        n_waiting: those of them whose thread waits for its turn.
    """

    n_jobs: int
    n_abandoned: int
    n_waiting: int


class PreparationPool:
    """Runs jobs in threads, and quick ones at once, for callers on one event loop.

    Args:
        clock: seconds; bounds the time that quick jobs take.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._quick = _LoopShare(clock)
        self._short = _Lane("prepare", n_threads=2, n_at_once=2, max_jobs=MAX_JOBS_SHORT)
        self._chats = _Lane("prepare-chat", n_threads=4, n_at_once=2, max_jobs=MAX_JOBS_SHORT)
        self._constrained = _Lane("prepare-constrained", n_threads=8, n_at_once=2, max_jobs=MAX_JOBS_SHORT)
        self._pictures = _Lane(
            "prepare-pictures",
            n_threads=MAX_JOBS_PICTURES,
            n_at_once=2,
            max_jobs=MAX_JOBS_PICTURES,
            max_bytes=MAX_PICTURE_BYTES,
        )
        self._long = _Lane("prepare-long", n_threads=MAX_JOBS_LONG, n_at_once=1, max_jobs=MAX_JOBS_LONG)
        self._is_closed = False
        self._trim: asyncio.TimerHandle | None = None

    async def run(
        self,
        n_bytes: int,
        job: Callable[[Work], T],
        *,
        is_chat: bool = False,
        is_constrained: bool = False,
        is_quick: bool = False,
        picture_bytes: int = 0,
    ) -> T:
        """Run a job and return its result. A cancelled caller's job ends at its next chunk.

        Args:
            n_bytes: size of the job's input, without pictures.
            job: called in a thread, if it is not done at once; pauses between its chunks.
            is_chat: whether it renders a conversation.
            is_constrained: whether it compiles a constraint.
            is_quick: whether it takes less than a millisecond.
            picture_bytes: size of the pictures that it encodes.

        Raises:
            QueueFull: too many jobs are waiting, or too large ones.
            Draining: the pool was closed.
        """
        if self._is_closed:
            raise Draining
        if is_quick and self._quick.is_left:
            return self._quick.spend(job)
        lane = self._lane(n_bytes, is_chat, is_constrained)
        if picture_bytes:
            lane, n_bytes = self._pictures, picture_bytes + TEXT_WEIGHT * n_bytes
        work, future = lane.submit(n_bytes, job)
        if n_bytes > LONG_BYTES:
            self._return_memory_later()
        try:
            return await asyncio.wrap_future(future)
        except Abandoned:
            raise Draining from None
        except asyncio.CancelledError:
            work.abandon()
            if self._is_closed and not _is_being_cancelled():
                raise Draining from None
            raise

    def long_load(self) -> LaneLoad:
        """What the lane for long inputs has to do; any thread."""
        return self._long.load()

    def _lane(self, n_bytes: int, is_chat: bool, is_constrained: bool) -> _Lane:
        if n_bytes > LONG_BYTES:
            return self._long
        if is_constrained:
            return self._constrained
        return self._chats if is_chat else self._short

    def _return_memory_later(self) -> None:
        """Give memory back once the large inputs are over, and what was made of them was sent."""
        if self._trim is not None:
            self._trim.cancel()
        self._trim = asyncio.get_running_loop().call_later(MEMORY_DELAY_S, self._return_memory)

    def _return_memory(self) -> None:
        self._trim = None
        if self._is_closed:
            return
        if self._long.load().n_jobs or self._pictures.load().n_jobs:
            self._return_memory_later()
        else:
            with contextlib.suppress(QueueFull):
                self._short.submit(0, lambda _: return_memory())

    def close(self) -> None:
        """Drop what has not begun and take nothing more; what runs ends at its next chunk."""
        self._is_closed = True
        if self._trim is not None:
            self._trim.cancel()
        for lane in (self._short, self._chats, self._constrained, self._pictures, self._long):
            lane.close()


class _LoopShare:
    """The time that jobs may take on the event loop: a part of all time, and a little more at once."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._is_paid_at = clock()

    @property
    def is_left(self) -> bool:
        """Whether a job may run now."""
        return self._is_paid_at - self._clock() <= LOOP_BURST_S / LOOP_SHARE

    def spend(self, job: Callable[[Work], T]) -> T:
        """Run a job, and note how long it took."""
        began = self._clock()
        try:
            return job(Work())
        finally:
            self._is_paid_at = max(self._is_paid_at, began) + (self._clock() - began) / LOOP_SHARE


class _Lane:
    def __init__(self, name: str, *, n_threads: int, n_at_once: int, max_jobs: int, max_bytes: int = MAX_BYTES) -> None:
        self._executor = ThreadPoolExecutor(n_threads, thread_name_prefix=name)
        self._turns = Turns(n_at_once)
        self._max_jobs, self._max_bytes = max_jobs, max_bytes
        self._lock = threading.Lock()
        self._jobs: set[Work] = set()
        self._n_bytes = 0

    def load(self) -> LaneLoad:
        """What it has to do."""
        with self._lock:
            n_abandoned = sum(work.is_abandoned for work in self._jobs)
            return LaneLoad(len(self._jobs), n_abandoned, self._turns.n_waiting)

    def submit(self, n_bytes: int, job: Callable[[Work], T]) -> tuple[Work, Future[T]]:
        work = Work(self._turns)
        with self._lock:
            if len(self._jobs) >= self._max_jobs or (self._jobs and self._n_bytes + n_bytes > self._max_bytes):
                raise QueueFull(len(self._jobs), retry_after_s=1.0)
            self._jobs.add(work)
            self._n_bytes += n_bytes
        future = self._executor.submit(_run, job, work, self._turns)
        # A job that runs counts until it ends, even if nobody waits for it any more.
        future.add_done_callback(lambda _: self._forget(work, n_bytes))
        return work, future

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            jobs = list(self._jobs)
        for work in jobs:
            work.abandon()

    def _forget(self, work: Work, n_bytes: int) -> None:
        with self._lock:
            self._jobs.discard(work)
            self._n_bytes -= n_bytes


def _run(job: Callable[[Work], T], work: Work, turns: Turns) -> T:
    turns.take()
    try:
        if work.is_abandoned:
            raise Abandoned
        return job(work)
    finally:
        turns.give_back()


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
