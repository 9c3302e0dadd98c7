"""Plain decoding: tokens per second while 1, 4 or 8 streams generate, at every layer, against llama.cpp's programs."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

from bench.harness.engine import engine_process
from bench.harness.grpc_client import GrpcTarget
from bench.harness.load import GREEDY, SAMPLING, Sampling, Target, decode_rate, run_together, story_jobs
from bench.harness.report import Figure, Goal, Result
from bench.harness.rest_client import RestTarget
from bench.harness.rounds import Measure, alternate, describe
from bench.harness.servers import batched_bench_rate, find_peers, llama_server, slotline_server
from bench.harness.stats import pair_ratios

if TYPE_CHECKING:
    from bench.settings import Settings

ENGINE, ENGINE_GREEDY, GRPC, REST = "engine", "engine, greedy", "gRPC", "REST"
BATCHED_BENCH, LLAMA_SERVER = "llama-batched-bench", "llama-server"

#: Part of llama-batched-bench's rate that must arrive, by layer and number of streams. One stream over gRPC pays a
#: message per token on the cores that decode, several streams share it.
_GOALS = {
    (ENGINE, 1): 0.95,
    (ENGINE, 4): 0.95,
    (ENGINE, 8): 0.95,
    (GRPC, 1): 0.75,
    (GRPC, 4): 0.85,
    (GRPC, 8): 0.85,
}


def run(settings: Settings) -> Result:
    """Measure all layers in alternation."""
    return asyncio.run(_run(settings))


async def _run(settings: Settings) -> Result:
    rates: list[Figure] = []
    ratios: list[Figure] = []
    notes: list[str] = []
    async with AsyncExitStack() as stack:
        peers = find_peers(settings.peers_python)
        ours = stack.enter_context(slotline_server(settings))
        theirs = stack.enter_context(llama_server(settings, peers))
        engine = await stack.enter_async_context(engine_process(settings))
        ours.server.wait_for_health(ours.health_url)
        theirs.server.wait_for_health(theirs.health_url)
        await engine.wait_until_ready()
        assert ours.grpc_address is not None
        grpc = await stack.enter_async_context(GrpcTarget(ours.grpc_address))
        rest, peer_rest = RestTarget(ours.rest_port), RestTarget(theirs.rest_port)

        async def engine_rate(n_streams: int, sampling: Sampling) -> float:
            jobs = story_jobs(n_streams, settings.tokens, sampling=sampling)
            return decode_rate(await engine.run_together(jobs))

        async def target_rate(target: Target, n_streams: int) -> float:
            return decode_rate(await run_together(target, story_jobs(n_streams, settings.tokens)))

        for n_streams in settings.streams:
            variants: dict[str, Measure] = {
                ENGINE: partial(engine_rate, n_streams, SAMPLING),
                ENGINE_GREEDY: partial(engine_rate, n_streams, GREEDY),
                GRPC: partial(target_rate, grpc, n_streams),
                REST: partial(target_rate, rest, n_streams),
                BATCHED_BENCH: partial(batched_bench_rate, settings, peers, n_streams, settings.tokens),
                LLAMA_SERVER: partial(target_rate, peer_rest, n_streams),
            }
            for name, measure in variants.items():
                if name != BATCHED_BENCH:
                    await measure()  # warms caches, connections and processor up
            rounds = await alternate(variants, repeats=settings.repeats, max_foreign_cores=settings.max_foreign_cores)
            label = f"{n_streams} stream{'s' if n_streams > 1 else ''}"
            notes += describe(rounds, label)
            samples = rounds.samples
            rates += [Figure(f"{name}, {label}", "tokens/s", samples[name]) for name in variants]
            for above, below in (
                (ENGINE, BATCHED_BENCH),
                (ENGINE_GREEDY, BATCHED_BENCH),
                (GRPC, BATCHED_BENCH),
                (REST, GRPC),
                (REST, LLAMA_SERVER),
            ):
                limit = _GOALS.get((above, n_streams)) if below == BATCHED_BENCH else None
                ratios.append(
                    Figure(
                        f"{above} / {below}, {label}",
                        "",
                        pair_ratios(samples[above], samples[below]),
                        None if limit is None else Goal("at least", limit),
                    )
                )
    title = f"decoding {settings.tokens} tokens per stream, {settings.threads} threads, n_ctx {settings.n_ctx}"
    return Result("decode", title, tuple(rates + ratios), tuple(notes))
