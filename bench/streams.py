"""Streams as their readers see them: rate, time to first token and waits between tokens at 1, 4 and 8 at once."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from bench.harness.contest import Quantity, Sample, contest, contestants, figures_of, notes_of
from bench.harness.load import Target, decode_rate, run_together, story_jobs
from bench.harness.report import Figure, Goal, Result
from bench.harness.stats import percentile

if TYPE_CHECKING:
    from bench.settings import Settings

_PERCENTILES = {"p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0}
_QUANTITIES = (
    Quantity("decoding", "tokens/s", ratio_goal=Goal("at least", 0.95)),
    *(Quantity(f"first token {name}", "ms") for name in _PERCENTILES),
    *(Quantity(f"between tokens {name}", "ms") for name in _PERCENTILES),
)


def run(settings: Settings) -> Result:
    """Measure both servers in turns; percentiles are those of one round, over all its streams and tokens."""
    return asyncio.run(_run(settings))


async def _run(settings: Settings) -> Result:
    figures: list[Figure] = []
    notes: dict[str, None] = {}
    async with contestants(settings) as targets:
        for n_streams in settings.streams:
            rounds = await contest(settings, targets, partial(_measure, n_streams, settings.tokens))
            label = f"{n_streams} stream{'s' if n_streams > 1 else ''}"
            figures += figures_of(rounds, _QUANTITIES, label=label)
            notes |= dict.fromkeys(notes_of(settings, rounds, "streams"))
    title = f"{settings.tokens} tokens per stream after {settings.prompt_tokens}, all streams begin together"
    return Result("streams", title, tuple(figures), tuple(notes))


async def _measure(n_streams: int, n_tokens: int, target: Target) -> Sample:
    timings = await run_together(target, story_jobs(n_streams, n_tokens))
    first = [timing.first_token_ms for timing in timings]
    between = [wait for timing in timings for wait in timing.inter_token_ms()]
    return {
        "decoding": decode_rate(timings),
        **{f"first token {name}": percentile(first, percent) for name, percent in _PERCENTILES.items()},
        **{f"between tokens {name}": percentile(between, percent) for name, percent in _PERCENTILES.items()},
    }
