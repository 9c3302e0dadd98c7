"""A long prompt beside a running stream: how long the stream stands still, and how late the prompt's answer begins."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from bench.harness.contest import AS_FAST, AS_SOON, Quantity, Sample, compare
from bench.harness.load import Job, Target, story_jobs
from bench.harness.report import Goal, Result
from bench.harness.running_stream import running_stream
from bench.harness.stats import gaps_within, percentile
from bench.harness.texts import text_of

if TYPE_CHECKING:
    from bench.settings import Settings

#: More than a server can generate while it evaluates the prompt; the stream is abandoned after that.
_STREAM_TOKENS = 1500
#: Outputs of the stream before the prompt is sent.
_BEFORE = 8
_QUANTITIES = (
    Quantity("longest gap of the stream", "ms", Goal("at most", 150.0), AS_SOON),
    Quantity("p99 gap of the stream", "ms", ratio_goal=AS_SOON),
    Quantity("outputs of the stream meanwhile", "outputs", ratio_goal=AS_FAST),
    Quantity("long prompt: first token, alone", "ms", ratio_goal=AS_SOON),
    Quantity("long prompt: first token, beside the stream", "ms"),
    Quantity("long prompt: beside / alone", "", Goal("at most", 1.35)),
)


def run(settings: Settings) -> Result:
    """Measure the servers in turns; the prompt is new every time."""
    settings = replace(settings, n_ctx=16384)
    title = f"a prompt of {settings.long_tokens} tokens, alone and beside one stream"
    return compare(settings, "freeze", title, _QUANTITIES, partial(_measure, settings, itertools.count(1)))


async def _measure(settings: Settings, numbers: itertools.count[int], target: Target) -> Sample:
    alone = await target.generate(_long(settings, next(numbers)))
    async with running_stream(target, story_jobs(1, _STREAM_TOKENS)[0]) as stream:
        await stream.wait_for_outputs(_BEFORE)
        beside = await target.generate(_long(settings, next(numbers)))
        await stream.wait_for_outputs(1)  # ends the last gap
        gaps_ms = [1000 * gap for gap in gaps_within(stream.arrivals, beside.sent, beside.first_token)]
    return {
        "longest gap of the stream": max(gaps_ms),
        "p99 gap of the stream": percentile(gaps_ms, 99),
        "outputs of the stream meanwhile": len(gaps_ms),
        "long prompt: first token, alone": alone.first_token_ms,
        "long prompt: first token, beside the stream": beside.first_token_ms,
        "long prompt: beside / alone": beside.first_token_ms / alone.first_token_ms,
    }


def _long(settings: Settings, number: int) -> Job:
    # Slot 1: the stream keeps slot 0.
    return Job(text_of(settings.long_tokens, number), n_tokens=2, seed=number, slot_id=1)
