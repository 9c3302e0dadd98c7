"""Streams as their readers see them: rates, time to first token and waits between tokens of 1 to 32 at once."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from bench.harness.contest import AS_FAST, AS_SOON, Place, Quantity, Sample, contest
from bench.harness.load import Target, decode_rate, run_together, story_jobs, wall_rate
from bench.harness.report import Goal, Result, count_of, join
from bench.harness.stats import median, percentile
from bench.settings import by_slots

if TYPE_CHECKING:
    from bench.harness.contest import Contest
    from bench.settings import Settings

_DECODING = "decoding"
_WAITS = (
    Quantity("whole burst", "tokens/s", ratio_goal=AS_FAST),
    Quantity("first token, median", "ms", ratio_goal=AS_SOON),
    Quantity("between tokens, p95", "ms"),
    Quantity("between tokens, longest", "ms"),
)
#: One stream pays for the messages of each token on the cores that decode.
_ONE_STREAM = Goal("at least", 0.97)


def run(settings: Settings) -> Result:
    """Measure the servers in turns; percentiles are those of one round, over all its streams and tokens."""
    return asyncio.run(_run(settings))


async def _run(settings: Settings) -> Result:
    results = []
    for sized in by_slots(settings):
        async with contest(sized) as running:
            for n_streams in sized.streams:
                await _measure_streams(running, settings.tokens, n_streams)
        results.append(running.result("streams", ""))
    title = (
        f"{settings.tokens} tokens per stream after {settings.prompt_tokens}, all streams begin together; decoding "
        "without the first tokens, the whole burst with everything"
    )
    return join("streams", title, results)


async def _measure_streams(running: Contest, n_tokens: int, n_streams: int) -> None:
    decoding = Quantity(_DECODING, "tokens/s", ratio_goal=_ONE_STREAM if n_streams == 1 else AS_FAST)
    measure = partial(_measure, n_streams, n_tokens)
    place = Place("streams", n_streams)
    await running.measure([decoding, *_WAITS], measure, label=count_of(n_streams, "stream"), place=place)


async def _measure(n_streams: int, n_tokens: int, target: Target) -> Sample:
    timings = await run_together(target, story_jobs(n_streams, n_tokens))
    between = [wait for timing in timings for wait in timing.inter_token_ms()]
    return {
        _DECODING: decode_rate(timings),
        "whole burst": wall_rate(timings),
        "first token, median": median([timing.first_token_ms for timing in timings]),
        "between tokens, p95": percentile(between, 95),
        "between tokens, longest": max(between),
    }
