"""Memory after the same requests: core and adapter together against llama-server, with equal slots and context."""

from __future__ import annotations

import asyncio
import dataclasses
from functools import partial
from typing import TYPE_CHECKING

from bench.harness.contest import REST, Quantity, Sample, measure_fresh
from bench.harness.load import Job, run_together
from bench.harness.machine import memory_of, process_tree
from bench.harness.report import Figure, Goal, Result
from bench.harness.rest_client import RestTarget
from bench.harness.servers import Endpoints, required_peers
from bench.harness.stats import pair_differences

if TYPE_CHECKING:
    from bench.settings import Settings

#: Bytes in the unit of the figures.
_MEGABYTE = 1_000_000

#: Servers are started this often; memory varies little.
_MAX_STARTS = 3

#: Long enough for full batches, so that every buffer that requests need has been touched.
_PROMPT_WORDS = 400

_RSS = Quantity("RSS", "MB")
_PSS = Quantity("PSS", "MB")
_MOST_ABOVE = Goal("at most", 250.0)


def run(settings: Settings) -> Result:
    """Start each server, send it the same requests, then read its memory."""
    required_peers(settings)
    few = dataclasses.replace(settings, repeats=min(settings.repeats, _MAX_STARTS))
    title = f"{settings.n_slots} slots, n_ctx {settings.n_ctx}, after {2 * settings.n_slots} requests"
    result = asyncio.run(measure_fresh(few, "memory", title, (_RSS, _PSS), partial(_measure, settings)))
    return dataclasses.replace(result, figures=result.figures + _above(result.figures))


def _above(figures: tuple[Figure, ...]) -> tuple[Figure, ...]:
    """How much more Slotline has than each peer."""
    rss = {figure.column: figure.samples for figure in figures if figure.row == _RSS.name and not figure.against}
    return tuple(
        Figure(f"RSS above {peer}", "MB", pair_differences(rss[REST], rss[peer]), _MOST_ABOVE)
        for peer in rss
        if peer != REST and REST in rss
    )


async def _measure(settings: Settings, server: Endpoints) -> Sample:
    server.server.wait_for_health(server.health_url)
    job = partial(Job, n_tokens=min(32, settings.tokens))
    target = RestTarget(server.rest_port)
    words = " ".join(f"word{number % 10}" for number in range(_PROMPT_WORDS))
    await target.generate(job(prompt=words, seed=0))
    for part in range(2):
        jobs = [job(prompt=f"Request {part} {slot}: count to ten.", seed=slot) for slot in range(settings.n_slots)]
        await run_together(target, jobs)
    memory = memory_of(process_tree(server.server.pid))
    return {_RSS.name: memory.rss / _MEGABYTE, _PSS.name: memory.pss / _MEGABYTE}
