"""A queue: the first token of requests beyond those that the slots take at once."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from bench.harness.contest import AS_SOON, Place, Quantity, Sample, contest
from bench.harness.load import Job, Target, run_together
from bench.harness.stats import median
from bench.harness.texts import text_of

if TYPE_CHECKING:
    from bench.harness.report import Result
    from bench.settings import Settings

_WAITING = (0, 8, 16, 32, 64)
_TOKENS = 16
_LAST = Quantity("first token of the last", "ms", ratio_goal=AS_SOON)
_MIDDLE = Quantity("first token, median", "ms", ratio_goal=AS_SOON)


def run(settings: Settings) -> Result:
    """Measure the servers in turns at every length of the queue."""
    return asyncio.run(_run(settings))


async def _run(settings: Settings) -> Result:
    async with contest(settings, has_grpc=False) as running:
        for n_waiting in _WAITING:
            measure = partial(_measure, settings.n_slots + n_waiting)
            place = Place("requests that wait", n_waiting)
            await running.measure([_LAST, _MIDDLE], measure, label=f"{n_waiting} wait", place=place)
    title = f"requests of {_TOKENS} tokens that come together, beyond the {settings.n_slots} that slots take at once"
    return running.result("queue", title)


async def _measure(n_requests: int, target: Target) -> Sample:
    jobs = [Job(text_of(16, number), _TOKENS, seed=number) for number in range(n_requests)]
    first_ms = [timing.first_token_ms for timing in await run_together(target, jobs)]
    return {_LAST.name: max(first_ms), _MIDDLE.name: median(first_ms)}
