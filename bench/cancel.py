"""A client goes away in the middle of a long prompt: how soon the next short request is answered."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from bench.harness.contest import Quantity, Sample, compare
from bench.harness.errors import BenchError
from bench.harness.load import Job, Target
from bench.harness.report import Goal, Result
from bench.harness.texts import text_of

if TYPE_CHECKING:
    from bench.settings import Settings

_SHORT_TOKENS = 8
_QUANTITIES = (
    Quantity("next request: first token", "ms", Goal("at most", 300.0), Goal("at most", 0.25)),
    Quantity("the same on an idle server", "ms"),
    Quantity("long prompt: first token, not abandoned", "ms"),
)


def run(settings: Settings) -> Result:
    """Measure the servers in turns; prompts are new every time, and the long one is abandoned after half its time."""
    settings = replace(settings, n_ctx=16384)
    title = f"a prompt of {settings.long_tokens} tokens, abandoned half-way; then one of {_SHORT_TOKENS}"
    return compare(settings, "cancel", title, _QUANTITIES, partial(_measure, settings, itertools.count(1)))


async def _measure(settings: Settings, numbers: itertools.count[int], target: Target) -> Sample:
    idle = await target.generate(_job(_SHORT_TOKENS, next(numbers)))
    whole = await target.generate(_job(settings.long_tokens, next(numbers)))
    abandoned = asyncio.create_task(target.generate(_job(settings.long_tokens, next(numbers))))
    await asyncio.wait([abandoned], timeout=whole.first_token_ms / 2000)
    if abandoned.done():
        abandoned.result()
        raise BenchError("the long prompt was answered in half the time it took before; it cannot be abandoned")
    abandoned.cancel()
    following = await target.generate(_job(_SHORT_TOKENS, next(numbers)))
    return {
        "next request: first token": following.first_token_ms,
        "the same on an idle server": idle.first_token_ms,
        "long prompt: first token, not abandoned": whole.first_token_ms,
    }


def _job(n_tokens: int, number: int) -> Job:
    return Job(text_of(n_tokens, number), n_tokens=2, seed=number)
