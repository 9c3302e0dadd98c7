"""Embeddings: how fast many short texts become vectors, and what a stream notices of it."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

from bench.harness.contest import AS_FAST, REST, Quantity, Sample, contest
from bench.harness.load import Job
from bench.harness.report import Goal, Result
from bench.harness.rest_client import RestTarget
from bench.harness.running_stream import running_stream
from bench.harness.stats import gaps_within

if TYPE_CHECKING:
    from bench.harness.load import Target
    from bench.settings import Settings

_TOPICS = ("cats", "old ships", "the harbour", "bread", "rivers in winter", "a small village", "songs", "letters")
#: What one request embeds.
_TEXTS = tuple(f"Text number {number}, which is about {topic}." for number, topic in enumerate(_TOPICS * 8))
#: Long enough to run while all texts are embedded; abandoned after that.
_STREAM = Job("The old garden gate creaked and then", n_tokens=1000, seed=1, slot_id=0)
_RATE = Quantity("embedding", "texts/s", ratio_goal=AS_FAST)
_GAP = Quantity("longest gap of a stream meanwhile", "ms", Goal("at most", 200.0))


def run(settings: Settings) -> Result:
    """Measure the servers in turns over REST."""
    return asyncio.run(_run(settings))


async def _run(settings: Settings) -> Result:
    # By default llama-server refuses to generate beside embeddings; pooling by the last token is what ours does.
    theirs = ("--embeddings", "--pooling", "last")
    async with contest(settings, ours=("--embedding",), theirs=theirs, has_grpc=False) as running:
        await running.measure([_RATE], _rate)
        await running.measure([_GAP], _longest_gap, names=[REST])
    return running.result("embeddings", f"{len(_TEXTS)} short texts in one request to /v1/embeddings")


async def _rate(target: Target) -> Sample:
    started_s = time.perf_counter()
    await _embed(target)
    return {_RATE.name: len(_TEXTS) / (time.perf_counter() - started_s)}


async def _longest_gap(target: Target) -> Sample:
    """The longest time between two tokens of a stream while the texts are embedded."""
    async with running_stream(target, _STREAM) as stream:
        first = time.perf_counter()
        await _embed(target)
        last = time.perf_counter()
        await stream.wait_for_outputs(1)  # ends the last gap
        return {_GAP.name: 1000 * max(gaps_within(stream.arrivals, first, last))}


async def _embed(target: Target) -> None:
    assert isinstance(target, RestTarget)
    answer = json.loads(await target.post("/v1/embeddings", {"model": "any", "input": _TEXTS}))
    assert [item["index"] for item in answer["data"]] == list(range(len(_TEXTS)))
