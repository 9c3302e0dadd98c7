"""A target whose answers a test decides."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bench.harness.load import Job, StreamTiming

if TYPE_CHECKING:
    from collections.abc import Callable


class ScriptedTarget:
    """Serves each job by calling a function of the test with the number of the job, from 0.

    Attributes:
        n_cancelled: jobs whose clients went away.
    """

    def __init__(self, answer: Callable[[int], StreamTiming | Exception | None]) -> None:
        self._answer = answer
        self._count = 0
        self.n_cancelled = 0

    async def generate(self, job: Job, *, on_event: Callable[[], None] = lambda: None) -> StreamTiming:
        """One output, then what the function says: a timing, an error, or None to go on without end."""
        answer = self._answer(self._count)
        self._count += 1
        await asyncio.sleep(0)
        if isinstance(answer, Exception):
            raise answer
        on_event()
        if answer is None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.n_cancelled += 1
                raise
        assert answer is not None
        return answer


def timing(n_tokens: int, *arrivals: float) -> StreamTiming:
    """A stream sent at 0 whose outputs came at these times."""
    return StreamTiming(0.0, arrivals[0], arrivals[-1], n_tokens, arrivals)
