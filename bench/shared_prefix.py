"""A burst of requests that share a prefix which no server has seen before, as behind one system prompt."""

from __future__ import annotations

import itertools
from functools import partial
from typing import TYPE_CHECKING

from bench.harness.contest import AS_SOON, Quantity, Sample, compare
from bench.harness.load import Job, Target, run_together
from bench.harness.report import Goal, Result
from bench.harness.stats import median
from bench.harness.texts import text_of

if TYPE_CHECKING:
    from bench.settings import Settings

_REQUESTS = 8
_OWN_TOKENS = 8
_ANSWER_TOKENS = 16
_QUANTITIES = (
    Quantity("first token, median of the burst", "ms", ratio_goal=Goal("at most", 1 / 4.5)),
    Quantity("first token, last of the burst", "ms", ratio_goal=AS_SOON),
    Quantity("whole burst", "ms", ratio_goal=AS_SOON),
)


def run(settings: Settings) -> Result:
    """Measure the servers in turns."""
    title = f"{_REQUESTS} requests at once: the same {settings.prefix_tokens} tokens, then {_OWN_TOKENS} of their own"
    return compare(settings, "shared_prefix", title, _QUANTITIES, partial(_measure, settings, itertools.count(1)))


async def _measure(settings: Settings, numbers: itertools.count[int], target: Target) -> Sample:
    number = 1000 * next(numbers)
    prefix = text_of(settings.prefix_tokens, number)
    jobs = [
        Job(f"{prefix} {text_of(_OWN_TOKENS, number + request)}", _ANSWER_TOKENS, seed=request, cache_prompt=True)
        for request in range(1, _REQUESTS + 1)
    ]
    timings = await run_together(target, jobs)
    first_ms = [timing.first_token_ms for timing in timings]
    return {
        "first token, median of the burst": median(first_ms),
        "first token, last of the burst": max(first_ms),
        "whole burst": 1000 * (max(timing.ended for timing in timings) - min(timing.sent for timing in timings)),
    }
