"""New prompts of all lengths, alone on an idle server: how late the first token is."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from bench.harness.contest import AS_SOON, Place, Quantity, Sample, contest
from bench.harness.load import Job, Target
from bench.harness.stats import median
from bench.harness.texts import text_of

if TYPE_CHECKING:
    from bench.harness.report import Result
    from bench.settings import Settings

_FIRST = Quantity("first token", "ms", ratio_goal=AS_SOON)
_SLOTS = 2
#: Room in a slot beside the longest prompt: words of some vocabularies are more than one token.
_SPARE_TOKENS = 400
#: A sample is the median of so many prompts that they have about this many tokens together: short ones are noisy.
_SAMPLE_TOKENS = 256
_MOST_PROMPTS = 5


def run(settings: Settings) -> Result:
    """Measure the servers in turns at every length; every prompt is new."""
    return asyncio.run(_run(settings))


async def _run(settings: Settings) -> Result:
    settings = replace(settings, n_slots=_SLOTS, n_ctx=_SLOTS * (settings.new_prompts[-1] + _SPARE_TOKENS))
    numbers = itertools.count(1)
    async with contest(settings, has_grpc=False) as running:
        for n_tokens in settings.new_prompts:
            measure = partial(_measure, n_tokens, numbers)
            await running.measure([_FIRST], measure, label=f"{n_tokens:,} tokens", place=Place("tokens", n_tokens))
    return running.result("prompt", "first token of a new prompt, idle server")


async def _measure(n_tokens: int, numbers: itertools.count[int], target: Target) -> Sample:
    n_prompts = min(max(_SAMPLE_TOKENS // n_tokens, 1), _MOST_PROMPTS)
    times_ms = []
    for number in itertools.islice(numbers, n_prompts):
        job = Job(text_of(n_tokens, number), n_tokens=2, seed=number, cache_prompt=True)
        times_ms.append((await target.generate(job)).first_token_ms)
    return {_FIRST.name: median(times_ms)}
