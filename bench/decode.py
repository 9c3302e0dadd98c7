"""Plain decoding on the engine's thread, against llama-batched-bench, which neither samples nor sends anything."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from bench.harness.contest import Place, Quantity, Sample, figures_of, notes_of
from bench.harness.engine import EngineProcess, engine_process
from bench.harness.load import GREEDY, SAMPLING, Sampling, decode_rate, story_jobs
from bench.harness.report import Figure, Goal, Result, count_of, join
from bench.harness.rounds import alternate
from bench.harness.servers import PEER, STOCK_PEER, Peers, batched_bench_rate, required_peers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bench.settings import Settings

_ENGINE, _GREEDY = "engine", "engine, greedy"
#: llama-batched-bench of each build of the peer.
_BATCHED_BENCH = {PEER: "llama-batched-bench", STOCK_PEER: "llama-batched-bench (stock)"}
_RATE = "decoding"
#: Part of llama-batched-bench's rate that must arrive with one stream, and with more.
_ONE_STREAM, _MORE_STREAMS = Goal("at least", 0.92), Goal("at least", 0.95)
#: Up to 8 streams on the slots of most scenarios, more on 32.
_MOST_SLOTS, _MOST_N_CTX = 32, 16384


def run(settings: Settings) -> Result:
    """Measure the engine and both builds of llama-batched-bench in turns."""
    return asyncio.run(_run(settings))


async def _run(settings: Settings) -> Result:
    peers = required_peers(settings)
    many = replace(settings, n_slots=_MOST_SLOTS, n_ctx=_MOST_N_CTX)
    results = [
        await _measure_all(sized, peers, streams)
        for sized, streams in (
            (settings, [n_streams for n_streams in settings.streams if n_streams <= settings.n_slots]),
            (many, [n_streams for n_streams in settings.streams if n_streams > settings.n_slots]),
        )
        if streams
    ]
    title = f"decoding {settings.tokens} tokens per stream on the engine's thread, {settings.threads} threads"
    return join("decode", title, results)


async def _measure_all(settings: Settings, peers: dict[str, Peers], streams: Sequence[int]) -> Result:
    figures: list[Figure] = []
    notes: tuple[str, ...] = ()
    failures: list[str] = []
    async with engine_process(settings) as engine:
        await engine.wait_until_ready()
        for n_streams in streams:
            label = count_of(n_streams, "stream")
            variants: dict[str, Callable[[], Awaitable[Sample]]] = {
                _ENGINE: partial(_engine, engine, settings, n_streams, SAMPLING),
                _GREEDY: partial(_engine, engine, settings, n_streams, GREEDY),
                **{_BATCHED_BENCH[name]: partial(_peer, settings, build, n_streams) for name, build in peers.items()},
            }
            await variants[_ENGINE]()  # warms caches and processor up
            rounds = await alternate(
                variants,
                repeats=settings.repeats,
                max_foreign_cores=settings.max_foreign_cores,
                on_failure=partial(_note, failures, label),
            )
            rate = Quantity(_RATE, "tokens/s", ratio_goal=_ONE_STREAM if n_streams == 1 else _MORE_STREAMS)
            figures += figures_of(
                rounds,
                [rate],
                label=label,
                place=Place("streams", n_streams),
                peers=tuple(_BATCHED_BENCH.values()),
                judged=_ENGINE,
            )
            notes += notes_of(settings, rounds, label)
    return Result("decode", "", tuple(figures), notes, failures=tuple(failures))


def _note(failures: list[str], label: str, name: str, error: Exception) -> None:
    failures.append(f"{name}, {label}: {error}")


async def _engine(engine: EngineProcess, settings: Settings, n_streams: int, sampling: Sampling) -> Sample:
    jobs = story_jobs(n_streams, settings.tokens, sampling=sampling)
    return {_RATE: decode_rate(await engine.run_together(jobs))}


async def _peer(settings: Settings, peers: Peers, n_streams: int) -> Sample:
    return {_RATE: await batched_bench_rate(settings, peers, n_streams, settings.tokens)}
