"""Memory after the same requests: core and adapter together against llama-server, with equal slots and context."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from bench.harness.load import Job, run_together
from bench.harness.machine import Memory, memory_of, process_tree
from bench.harness.report import Figure, Goal, Result
from bench.harness.rest_client import RestTarget
from bench.harness.servers import Endpoints, find_peers, llama_server, slotline_server
from bench.harness.stats import pair_differences

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from bench.settings import Settings

#: Bytes in the unit of the figures.
_MEGABYTE = 1_000_000

#: Servers are started this often; memory varies little.
_MAX_STARTS = 3

#: Long enough for full batches, so that every buffer that requests need has been touched.
_PROMPT_WORDS = 400


def run(settings: Settings) -> Result:
    """Start each server, send it the same requests, then read its memory."""
    peers = find_peers(settings.peers_python)
    ours: list[Memory] = []
    theirs: list[Memory] = []
    for _ in range(min(settings.repeats, _MAX_STARTS)):
        ours.append(_after_requests(slotline_server(settings), settings))
        theirs.append(_after_requests(llama_server(settings, peers), settings))
    our_rss = tuple(memory.rss / _MEGABYTE for memory in ours)
    their_rss = tuple(memory.rss / _MEGABYTE for memory in theirs)
    figures = (
        Figure("Slotline, core and adapter: RSS", "MB", our_rss),
        Figure("llama-server: RSS", "MB", their_rss),
        Figure("RSS above llama-server", "MB", pair_differences(our_rss, their_rss), Goal("at most", 250.0)),
        Figure("Slotline, core and adapter: PSS", "MB", tuple(memory.pss / _MEGABYTE for memory in ours)),
        Figure("llama-server: PSS", "MB", tuple(memory.pss / _MEGABYTE for memory in theirs)),
    )
    title = f"{settings.n_slots} slots, n_ctx {settings.n_ctx}, after {2 * settings.n_slots} requests"
    return Result("memory", title, figures)


def _after_requests(server: AbstractContextManager[Endpoints], settings: Settings) -> Memory:
    with server as endpoints:
        endpoints.server.wait_for_health(endpoints.health_url)
        asyncio.run(_send_requests(endpoints, settings))
        return memory_of(process_tree(endpoints.server.pid))


async def _send_requests(endpoints: Endpoints, settings: Settings) -> None:
    job = partial(Job, n_tokens=min(32, settings.tokens))
    target = RestTarget(endpoints.rest_port)
    words = " ".join(f"word{number % 10}" for number in range(_PROMPT_WORDS))
    await target.generate(job(prompt=words, seed=0))
    for part in range(2):
        jobs = [job(prompt=f"Request {part} {slot}: count to ten.", seed=slot) for slot in range(settings.n_slots)]
        await run_together(target, jobs)
