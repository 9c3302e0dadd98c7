"""Conversations of fewer, as many and more users than slots, with one system prompt."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from bench.harness.contest import AS_SOON, Place, Quantity, Sample, contest
from bench.harness.conversation import Talk, converse, span_s
from bench.harness.load import Target, together
from bench.harness.stats import median, percentile

if TYPE_CHECKING:
    from bench.harness.report import Result
    from bench.settings import Settings

_TALK = Talk(turns=4, answer_tokens=24)
_N_CTX = 16384
_QUANTITIES = (
    *(Quantity(f"turn {turn}: first token, median", "ms", ratio_goal=AS_SOON) for turn in range(1, _TALK.turns + 1)),
    Quantity("later turns: first token, p95", "ms"),
    Quantity("all conversations", "s", ratio_goal=AS_SOON),
)


def run(settings: Settings) -> Result:
    """Measure the servers in turns; every conversation is new."""
    return asyncio.run(_run(settings))


async def _run(settings: Settings) -> Result:
    settings = replace(settings, n_ctx=_N_CTX)
    numbers = itertools.count(1)
    async with contest(settings, has_grpc=False) as running:
        for n_users in settings.users:
            measure = partial(_measure, n_users, numbers)
            await running.measure(_QUANTITIES, measure, label=f"{n_users} users", place=Place("users", n_users))
    return running.result("chat", f"users on {settings.n_slots} slots, {_TALK}")


async def _measure(n_users: int, numbers: itertools.count[int], target: Target) -> Sample:
    number = next(numbers)
    by_turn = list(zip(*await together(converse(target, _TALK, number, user) for user in range(n_users)), strict=True))
    later_ms = [timing.first_token_ms for timings in by_turn[1:] for timing in timings]
    return {
        **{
            f"turn {turn}: first token, median": median([timing.first_token_ms for timing in timings])
            for turn, timings in enumerate(by_turn, 1)
        },
        "later turns: first token, p95": percentile(later_ms, 95),
        "all conversations": span_s([timing for timings in by_turn for timing in timings]),
    }
