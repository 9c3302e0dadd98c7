"""A stream in the background, to see what something else does to it."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from bench.harness.errors import BenchError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bench.harness.load import Job, StreamTiming, Target


class RunningStream:
    """One job being served; made by ``running_stream``.

    Attributes:
        arrivals: ``time.perf_counter()`` of every output so far.
    """

    def __init__(self, target: Target, job: Job) -> None:
        self.arrivals: list[float] = []
        self._has_news = asyncio.Event()
        self._task: asyncio.Task[StreamTiming] = asyncio.create_task(target.generate(job, on_event=self._note))
        self._task.add_done_callback(lambda task: self._has_news.set())

    async def wait_for_outputs(self, count: int) -> None:
        """Wait until ``count`` more outputs have arrived.

        Raises:
            BenchError: the stream ended before; it failed, or its job asks for too few tokens.
        """
        wanted = len(self.arrivals) + count
        while len(self.arrivals) < wanted:
            if self._task.done():
                self._task.result()
                raise BenchError(f"the stream ended after {len(self.arrivals)} outputs, while it was still watched")
            self._has_news.clear()
            await self._has_news.wait()

    async def abandon(self) -> None:
        """Close the stream if it is still running."""
        self._task.cancel()
        await asyncio.wait([self._task])

    def _note(self) -> None:
        self.arrivals.append(time.perf_counter())
        self._has_news.set()


@asynccontextmanager
async def running_stream(target: Target, job: Job) -> AsyncIterator[RunningStream]:
    """A stream that has begun; abandoned at the end of the context."""
    stream = RunningStream(target, job)
    try:
        await stream.wait_for_outputs(1)
        yield stream
    finally:
        await stream.abandon()
