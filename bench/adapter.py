"""The REST adapter: processor time and memory, idle clients beside streams, health beside a prefill, loss to gRPC.

Processor time is measured in front of a core without a model, whose steps come at equal distances, and again in front
of the real one, which competes for the same cores.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bench.harness.grpc_client import GrpcTarget
from bench.harness.idle_clients import get_health, idle_clients
from bench.harness.load import Job, Target, decode_rate, run_together, story_jobs
from bench.harness.machine import cpu_time_s, memory_of
from bench.harness.paced_adapter import RunningAdapter, adapter_before_paced_core
from bench.harness.report import Figure, Goal, Result
from bench.harness.rest_client import RestTarget
from bench.harness.rest_forms import RestForm
from bench.harness.rounds import alternate, describe
from bench.harness.servers import slotline_server
from bench.harness.stats import pair_ratios, percentile
from bench.harness.texts import text_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bench.settings import Settings

#: Streams of all measurements but the first.
_STREAMS = 8

#: Distance of the paced core's steps: about that of the default model's with 8 streams.
_STEP_MS = 20.0

#: Tokens of a stream beside idle clients, at most: after 5 s without a request the adapter closes kept connections.
_MAX_TOKENS_BESIDE_IDLE = 150

_KEPT_CONNECTIONS = 200
_SILENT_STREAMS = 32

_PREFILL_TOKENS = 1500

#: Pause between two questions for the health.
_HEALTH_PAUSE_S = 0.01

_MEGABYTE = 1_000_000

NATIVE, CHAT, RESPONSES, MESSAGES = RestForm
GRPC = "gRPC"


@dataclass(frozen=True, slots=True)
class _Cost:
    """What streams took: processor time of the adapter per token, and tokens per second."""

    cpu_ms_per_token: float
    tokens_per_s: float


@dataclass(frozen=True, slots=True)
class _Waits:
    """Waits between tokens over all streams of a round, in ms, and the adapter's memory while they ran."""

    inter_token_ms: list[float]
    rss_mb: float


def run(settings: Settings) -> Result:
    """Measure all of it, one thing after the other."""
    return asyncio.run(_run(settings))


async def _run(settings: Settings) -> Result:
    figures: list[Figure] = []
    notes: list[str] = []
    with adapter_before_paced_core(_STEP_MS) as adapter:
        for part in (_paced_cost, _dialects, _beside_idle_clients):
            await _collect(part(settings, adapter), figures, notes)
    # A slot must hold the long prompt.
    roomy = dataclasses.replace(settings, n_ctx=2048 * _STREAMS, n_slots=_STREAMS)
    with slotline_server(roomy) as ours:
        ours.server.wait_for_health(ours.health_url)
        assert ours.grpc_address is not None
        # The adapter runs in the first process, the core is its child.
        adapter = RunningAdapter(ours.server.pid, ours.rest_port)
        async with GrpcTarget(ours.grpc_address) as grpc:
            await _collect(_real_cost(settings, adapter, grpc), figures, notes)
        await _collect(_health_beside_prefill(settings, adapter), figures, notes)
    title = f"{_STREAMS} streams of {settings.tokens} tokens, steps of the paced core {_STEP_MS:g} ms apart"
    return Result("adapter", title, tuple(figures), tuple(notes))


async def _collect(
    part: Awaitable[tuple[list[Figure], tuple[str, ...]]], figures: list[Figure], notes: list[str]
) -> None:
    found, remarks = await part
    figures += found
    notes += remarks


async def _paced_cost(settings: Settings, adapter: RunningAdapter) -> tuple[list[Figure], tuple[str, ...]]:
    """Processor time per token that does not depend on a model."""
    variants: dict[str, Callable[[], Awaitable[_Cost]]] = {
        f"{form.value}, {n_streams} streams": partial(_cost, adapter, _target(adapter, form), settings, n_streams)
        for n_streams in (1, _STREAMS)
        for form in (NATIVE, CHAT)
    }
    for measure in variants.values():
        await measure()  # imports what is imported late, fills caches
    rounds = await alternate(variants, repeats=settings.repeats, max_foreign_cores=settings.max_foreign_cores)
    figures = [
        Figure(
            f"CPU per token, paced core, {name}",
            "ms",
            tuple(cost.cpu_ms_per_token for cost in costs),
            Goal("at most", 0.40) if name.endswith(f"{_STREAMS} streams") else None,
        )
        for name, costs in rounds.samples.items()
    ]
    return figures, describe(rounds, "paced core")


async def _dialects(settings: Settings, adapter: RunningAdapter) -> tuple[list[Figure], tuple[str, ...]]:
    """Processor time per token of the dialects beside that of chats."""
    forms = (CHAT, RESPONSES, MESSAGES)
    variants: dict[str, Callable[[], Awaitable[_Cost]]] = {
        form.value: partial(_cost, adapter, _target(adapter, form), settings, _STREAMS) for form in forms
    }
    for measure in variants.values():
        await measure()
    rounds = await alternate(variants, repeats=settings.repeats, max_foreign_cores=settings.max_foreign_cores)
    costs = {name: tuple(cost.cpu_ms_per_token for cost in samples) for name, samples in rounds.samples.items()}
    figures = [Figure(f"CPU per token, {name}, {_STREAMS} streams", "ms", samples) for name, samples in costs.items()]
    figures += [
        Figure(
            f"CPU per token, {form.value} / {CHAT.value}",
            "",
            pair_ratios(costs[form.value], costs[CHAT.value]),
            Goal("at most", 1.10),
        )
        for form in (RESPONSES, MESSAGES)
    ]
    return figures, describe(rounds, "dialects")


async def _beside_idle_clients(settings: Settings, adapter: RunningAdapter) -> tuple[list[Figure], tuple[str, ...]]:
    """Waits between tokens with and without others who are only connected."""
    target = _target(adapter, CHAT)
    jobs = story_jobs(_STREAMS, min(settings.tokens, _MAX_TOKENS_BESIDE_IDLE))

    async def alone() -> _Waits:
        timings = await run_together(target, jobs)
        waits = [wait for timing in timings for wait in timing.inter_token_ms()]
        return _Waits(waits, memory_of([adapter.pid]).rss / _MEGABYTE)

    async def accompanied() -> _Waits:
        async with idle_clients(adapter.port, n_kept=_KEPT_CONNECTIONS, n_silent=_SILENT_STREAMS):
            return await alone()

    idle = f"{_KEPT_CONNECTIONS} connections and {_SILENT_STREAMS} streams idle"
    rounds = await alternate(
        {"alone": alone, idle: accompanied}, repeats=settings.repeats, max_foreign_cores=settings.max_foreign_cores
    )
    figures = [
        Figure(f"ITL p{percent}, {name}", "ms", tuple(percentile(one.inter_token_ms, percent) for one in samples))
        for percent in (50, 99)
        for name, samples in rounds.samples.items()
    ]
    figures += [
        Figure(f"RSS of the adapter, {name}", "MB", tuple(one.rss_mb for one in samples))
        for name, samples in rounds.samples.items()
    ]
    return figures, describe(rounds, "idle clients")


async def _real_cost(
    settings: Settings, adapter: RunningAdapter, grpc: GrpcTarget
) -> tuple[list[Figure], tuple[str, ...]]:
    """Processor time per token, and the rate that is lost, where core and adapter share the machine."""
    targets: dict[str, Target] = {GRPC: grpc} | {form.value: _target(adapter, form) for form in (NATIVE, CHAT)}
    variants: dict[str, Callable[[], Awaitable[_Cost]]] = {
        name: partial(_cost, adapter, target, settings, _STREAMS) for name, target in targets.items()
    }
    for measure in variants.values():
        await measure()
    rounds = await alternate(variants, repeats=settings.repeats, max_foreign_cores=settings.max_foreign_cores)
    rates = {name: tuple(cost.tokens_per_s for cost in costs) for name, costs in rounds.samples.items()}
    figures = [Figure(f"rate, model, {name}", "tokens/s", rates[name]) for name in variants]
    for form in (NATIVE.value, CHAT.value):
        figures += [
            Figure(f"{form} / {GRPC}, model", "", pair_ratios(rates[form], rates[GRPC]), Goal("at least", 0.94)),
            Figure(
                f"CPU per token, model, {form}",
                "ms",
                tuple(cost.cpu_ms_per_token for cost in rounds.samples[form]),
                Goal("at most", 0.40),
            ),
        ]
    return figures, describe(rounds, "model")


async def _health_beside_prefill(settings: Settings, adapter: RunningAdapter) -> tuple[list[Figure], tuple[str, ...]]:
    """Answers to ``GET /health`` while the core evaluates a long prompt."""
    numbers = iter(range(1_000_000))

    async def latencies_ms() -> list[float]:
        # A new text every time, so that nothing of it is cached.
        job = Job(text_of(_PREFILL_TOKENS, next(numbers)), n_tokens=1, seed=1)
        prefill = asyncio.create_task(_target(adapter, NATIVE).generate(job))
        reader, writer = await asyncio.open_connection("127.0.0.1", adapter.port)
        found: list[float] = []
        try:
            while not prefill.done():
                started = time.perf_counter()
                await get_health((reader, writer))
                found.append((time.perf_counter() - started) * 1000)
                await asyncio.sleep(_HEALTH_PAUSE_S)
        finally:
            writer.close()
            await prefill
        return found

    name = f"GET /health during a prefill of {_PREFILL_TOKENS} tokens"
    rounds = await alternate(
        {name: latencies_ms}, repeats=settings.repeats, max_foreign_cores=settings.max_foreign_cores
    )
    samples = rounds.samples[name]
    figures = [
        Figure(f"{name}, p50", "ms", tuple(percentile(one, 50) for one in samples)),
        Figure(f"{name}, longest", "ms", tuple(max(one) for one in samples), Goal("at most", 20.0)),
    ]
    return figures, describe(rounds, "health")


async def _cost(adapter: RunningAdapter, target: Target, settings: Settings, n_streams: int) -> _Cost:
    before_s = cpu_time_s([adapter.pid])
    timings = await run_together(target, story_jobs(n_streams, settings.tokens))
    spent_ms = (cpu_time_s([adapter.pid]) - before_s) * 1000
    return _Cost(spent_ms / sum(timing.n_tokens for timing in timings), decode_rate(timings))


def _target(adapter: RunningAdapter, form: RestForm) -> RestTarget:
    return RestTarget(adapter.port, form)
