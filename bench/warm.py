"""The first token of a cached prompt on an idle server: back to back, and after pauses."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from bench.harness.contest import AS_SOON, GRPC, REST, Place, Quantity, Sample, contest
from bench.harness.load import Job, Target
from bench.harness.report import Figure, Goal, Result
from bench.harness.stats import median, pair_differences
from bench.harness.texts import text_of

if TYPE_CHECKING:
    from bench.harness.rounds import Rounds
    from bench.settings import Settings


@dataclass(frozen=True, slots=True)
class _Pause:
    """How long a server has nothing to do before each request.

    Attributes:
        n_requests: requests of one sample, which is their median. One alone is noisy, but long pauses are dear.
    """

    seconds: float
    n_requests: int
    name: str


_USUAL = "after 50 ms"
_PAUSES = (_Pause(0.0, 10, "back to back"), _Pause(0.05, 8, _USUAL), _Pause(2.0, 1, "after 2 s"))
_QUANTITIES = tuple(Quantity(pause.name, "ms", ratio_goal=AS_SOON) for pause in _PAUSES)

#: What the REST adapter may add to a first token over gRPC.
_MOST_ADDED_MS = Goal("at most", 5.0)

_SLOTS = 4


def run(settings: Settings) -> Result:
    """Measure the servers in turns at every length."""
    return asyncio.run(_run(settings))


async def _run(settings: Settings) -> Result:
    settings = replace(settings, n_slots=_SLOTS, n_ctx=_SLOTS * (settings.cached_prompts[-1] + 256))
    async with contest(settings) as running:
        for n_tokens in settings.cached_prompts:
            # More tokens than the first, so that what follows it is there as well, as behind every real request.
            job = Job(text_of(n_tokens, n_tokens), n_tokens=4, seed=1, cache_prompt=True)
            place = Place("tokens", n_tokens)
            rounds = await running.measure(
                _QUANTITIES, partial(_measure, job), label=f"{n_tokens:,} tokens", place=place
            )
            running.add(_added(rounds, n_tokens))
    counts = ", ".join(f"{pause.n_requests} {pause.name}" for pause in _PAUSES)
    title = f"first token of a cached prompt, idle server, open connection; medians of requests: {counts}"
    return running.result("warm", title)


async def _measure(job: Job, target: Target) -> Sample:
    await target.generate(job)  # evaluates the prompt if it is not cached any more
    return {pause.name: await _first_token_ms(target, job, pause) for pause in _PAUSES}


async def _first_token_ms(target: Target, job: Job, pause: _Pause) -> float:
    times_ms = []
    for _ in range(pause.n_requests):
        await asyncio.sleep(pause.seconds)
        times_ms.append((await target.generate(job)).first_token_ms)
    return median(times_ms)


def _added(rounds: Rounds[Sample], n_tokens: int) -> list[Figure]:
    """What REST adds to gRPC."""
    if not {GRPC, REST} <= rounds.samples.keys():
        return []
    pairs = [[sample["after 50 ms"] for sample in rounds.samples[name]] for name in (REST, GRPC)]
    return [
        Figure(f"REST minus gRPC, after 50 ms, {n_tokens:,} tokens", "ms", pair_differences(*pairs), _MOST_ADDED_MS)
    ]
