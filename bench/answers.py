"""Answers that are not streamed, as clients get them that wait for the end: 1 to 32 at once."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from bench.harness.contest import AS_FAST, Place, Quantity, Sample, contest
from bench.harness.load import Target, story_jobs, wall_rate
from bench.harness.report import Result, join
from bench.harness.rest_client import RestTarget
from bench.settings import by_slots

if TYPE_CHECKING:
    from bench.settings import Settings

_WHOLE = Quantity("whole answers", "tokens/s", ratio_goal=AS_FAST)


def run(settings: Settings) -> Result:
    """Measure the servers in turns, over REST: gRPC has streams only."""
    return asyncio.run(_run(settings))


async def _run(settings: Settings) -> Result:
    results = []
    for sized in by_slots(settings):
        async with contest(sized, has_grpc=False) as running:
            for n_answers in sized.streams:
                measure = partial(_measure, n_answers, settings.tokens)
                place = Place("answers", n_answers)
                await running.measure([_WHOLE], measure, label=f"{n_answers} at once", place=place)
        results.append(running.result("answers", ""))
    title = f"{settings.tokens} tokens per answer after {settings.prompt_tokens}, not streamed, all asked for together"
    return join("answers", title, results)


async def _measure(n_answers: int, n_tokens: int, target: Target) -> Sample:
    assert isinstance(target, RestTarget)
    jobs = story_jobs(n_answers, n_tokens)
    return {_WHOLE.name: wall_rate(await asyncio.gather(*map(target.answer, jobs)))}
