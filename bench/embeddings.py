"""Embeddings: how fast many short texts become vectors, and what a stream notices of it."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

from bench.harness.load import Job
from bench.harness.report import Figure, Goal, Result
from bench.harness.rest_client import RestTarget
from bench.harness.rounds import Measure, alternate, describe
from bench.harness.running_stream import running_stream
from bench.harness.servers import find_peers, llama_server, slotline_server
from bench.harness.stats import gaps_within, pair_ratios

if TYPE_CHECKING:
    from bench.settings import Settings

_TOPICS = ("cats", "old ships", "the harbour", "bread", "rivers in winter", "a small village", "songs", "letters")
#: What one request embeds.
_TEXTS = tuple(f"Text number {number}, which is about {topic}." for number, topic in enumerate(_TOPICS * 8))
#: Long enough to run while all texts are embedded; abandoned after that.
_STREAM = Job("The old garden gate creaked and then", n_tokens=1000, seed=1, slot_id=0)


def run(settings: Settings) -> Result:
    """Measure both servers in alternation."""
    return asyncio.run(_run(settings))


async def _run(settings: Settings) -> Result:
    async with AsyncExitStack() as stack:
        peers = find_peers(settings.peers_python)
        ours = stack.enter_context(slotline_server(settings, "--embedding"))
        # By default llama-server refuses to generate beside embeddings; pooling by the last token is what ours does.
        theirs = stack.enter_context(llama_server(settings, peers, "--embeddings", "--pooling", "last"))
        for server in (ours, theirs):
            server.server.wait_for_health(server.health_url)
        targets = {"Slotline": RestTarget(ours.rest_port), "llama-server": RestTarget(theirs.rest_port)}
        variants: dict[str, Measure] = {name: partial(_rate, target) for name, target in targets.items()}
        variants["Slotline, beside a stream"] = partial(_longest_gap_ms, targets["Slotline"])
        for measure in variants.values():
            await measure()
        rounds = await alternate(variants, repeats=settings.repeats, max_foreign_cores=settings.max_foreign_cores)
    samples = rounds.samples
    ratios = pair_ratios(samples["Slotline"], samples["llama-server"])
    figures = [
        *(Figure(name, "texts/s", samples[name]) for name in targets),
        Figure("Slotline / llama-server", "", ratios, Goal("at least", 1.0)),
        Figure("longest gap of a stream meanwhile", "ms", samples["Slotline, beside a stream"], Goal("at most", 200.0)),
    ]
    title = f"{len(_TEXTS)} short texts in one request to /v1/embeddings"
    return Result("embeddings", title, tuple(figures), describe(rounds, "Slotline"))


async def _rate(target: RestTarget) -> float:
    started_s = time.perf_counter()
    await _embed(target)
    return len(_TEXTS) / (time.perf_counter() - started_s)


async def _longest_gap_ms(target: RestTarget) -> float:
    """The longest time between two tokens of a stream while the texts are embedded."""
    async with running_stream(target, _STREAM) as stream:
        first = time.perf_counter()
        await _embed(target)
        last = time.perf_counter()
        await stream.wait_for_outputs(1)  # ends the last gap
        return 1000 * max(gaps_within(stream.arrivals, first, last))


async def _embed(target: RestTarget) -> None:
    answer = json.loads(await target.post("/v1/embeddings", {"model": "any", "input": _TEXTS}))
    assert [item["index"] for item in answer["data"]] == list(range(len(_TEXTS)))
