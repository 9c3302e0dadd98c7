"""Time to first token: what the REST adapter adds to gRPC, on an idle server with one short prompt."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

from bench.harness.grpc_client import GrpcTarget
from bench.harness.load import Job, Target
from bench.harness.report import Figure, Goal, Result
from bench.harness.rest_client import RestTarget
from bench.harness.rounds import Measure, alternate, describe
from bench.harness.servers import find_peers, llama_server, slotline_server
from bench.harness.stats import median, pair_differences

if TYPE_CHECKING:
    from bench.settings import Settings

#: Requests of one sample, which is their median: one alone is too short to tell whether others disturbed it.
_REQUESTS = 20

#: Pause before each request, so that the server has done with the one before.
_PAUSE_S = 0.05

#: The prompt stays cached, so that only its last token is evaluated and the difference is not lost in noise.
_JOB = Job("The old garden gate creaked and then", n_tokens=4, seed=1, cache_prompt=True)


def run(settings: Settings) -> Result:
    """Measure gRPC, REST and llama-server in alternation."""
    return asyncio.run(_run(settings))


async def _run(settings: Settings) -> Result:
    async with AsyncExitStack() as stack:
        peers = find_peers(settings.peers_python)
        ours = stack.enter_context(slotline_server(settings))
        theirs = stack.enter_context(llama_server(settings, peers))
        ours.server.wait_for_health(ours.health_url)
        theirs.server.wait_for_health(theirs.health_url)
        assert ours.grpc_address is not None
        grpc = await stack.enter_async_context(GrpcTarget(ours.grpc_address))
        variants: dict[str, Measure] = {
            "gRPC": partial(_first_token_ms, grpc),
            "REST": partial(_first_token_ms, RestTarget(ours.rest_port)),
            "llama-server": partial(_first_token_ms, RestTarget(theirs.rest_port)),
        }
        for measure in variants.values():
            await measure()  # fills the prompt caches
        rounds = await alternate(variants, repeats=settings.repeats, max_foreign_cores=settings.max_foreign_cores)
    samples = rounds.samples
    figures = [Figure(f"{name}: first token", "ms", samples[name]) for name in variants]
    added = pair_differences(samples["REST"], samples["gRPC"])
    figures.append(Figure("REST minus gRPC", "ms", added, Goal("at most", 5.0)))
    title = f"first token of a cached 8-token prompt, idle server, open connection; medians of {_REQUESTS} requests"
    return Result("first_token", title, tuple(figures), describe(rounds, "first token"))


async def _first_token_ms(target: Target) -> float:
    times_ms = []
    for _ in range(_REQUESTS):
        await asyncio.sleep(_PAUSE_S)
        times_ms.append((await target.generate(_JOB)).first_token_ms)
    return median(times_ms)
