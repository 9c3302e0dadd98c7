"""Streams that decode behind one prompt, which was evaluated before: their cells are shared."""

from __future__ import annotations

import asyncio
import itertools
from functools import partial
from typing import TYPE_CHECKING

from bench.harness.contest import AS_FAST, Place, Quantity, Sample, contest
from bench.harness.load import Job, Target, decode_rate, run_together
from bench.harness.report import count_of
from bench.harness.texts import text_of

if TYPE_CHECKING:
    from bench.harness.report import Result
    from bench.settings import Settings

_STREAMS = (4, 8)
_PROMPT_TOKENS = 300
_RATE = Quantity("decoding", "tokens/s", ratio_goal=AS_FAST)


def run(settings: Settings) -> Result:
    """Measure the servers in turns; the prompt is new in every round."""
    return asyncio.run(_run(settings))


async def _run(settings: Settings) -> Result:
    numbers = itertools.count(1)
    async with contest(settings) as running:
        for n_streams in _STREAMS:
            measure = partial(_measure, settings.tokens, n_streams, numbers)
            place = Place("streams", n_streams)
            await running.measure([_RATE], measure, label=count_of(n_streams, "stream"), place=place)
    title = f"{settings.tokens} tokens per stream behind the same {_PROMPT_TOKENS}, which one request has sent before"
    return running.result("shared_decode", title)


async def _measure(n_tokens: int, n_streams: int, numbers: itertools.count[int], target: Target) -> Sample:
    prompt = text_of(_PROMPT_TOKENS, next(numbers))
    await target.generate(Job(prompt, n_tokens=2, seed=0, cache_prompt=True))
    jobs = [Job(prompt, n_tokens, seed=seed, cache_prompt=True) for seed in range(1, n_streams + 1)]
    return {_RATE.name: decode_rate(await run_together(target, jobs))}
