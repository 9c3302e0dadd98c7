"""Where the time goes: each hop's share of a cached prompt's first token, and of the way of a token in mid-stream."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.harness.grpc_client import GrpcTarget
from bench.harness.load import Job, Target, run_together, story_jobs
from bench.harness.report import Figure, Result
from bench.harness.rest_client import RestTarget
from bench.harness.rounds import Rounds, alternate, describe
from bench.harness.tracing.hops import HOPS, Hop, Marks, Passage, Request, follow
from bench.harness.tracing.recorder import read_marks
from bench.harness.tracing.server import mark_files, traced_server
from bench.harness.tracing.steps import follow_steps, step_hops
from bench.harness.tracing.table import LEGEND, render_hops

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from bench.settings import Settings

#: Requests of one round.
_REQUESTS = 20

#: Ways of asking, by the pause before each request in seconds.
_PAUSES: Final = {"pause of 50 ms": 0.05, "back to back": 0.0}

_STREAMS: Final = (1, 8)

#: Prompts whose beginning stays cached, so that only their last token is evaluated; more of them in turn than a server
#: remembers the logits of, for a prompt that it remembers needs no step.
_JOBS = [
    Job(f"The old garden gate creaked and then {letter}", 4, 1, cache_prompt=True) for letter in "ABCDEFGHIJKLMNOP"
]

#: What requests, or tokens, took on each hop.
_Trace = list[list[Passage]]


def run(settings: Settings) -> Result:
    """Trace requests over both APIs, with and without pauses, then streams."""
    with tempfile.TemporaryDirectory(prefix="slotline-trace-") as name:
        directory = Path(name)
        rounds = asyncio.run(_measure(settings, directory))
        marks = read_marks(mark_files(directory))
    figures: list[Figure] = []
    tables: list[str] = []
    for api, hops in HOPS.items():
        first_tokens = _first_tokens(api, rounds, marks)
        tokens = _tokens(api, rounds, marks)
        for title, names, traces in (
            (f"{api}, first token", hops, first_tokens),
            (f"{api}, a token in mid-stream from the step's end on", step_hops(api), tokens),
        ):
            figures += _figures(title, names, traces)
            tables += ["", f"{title}:", *render_hops(names, traces)]
    n_requests = _REQUESTS * settings.repeats
    title = (
        f"ms on an idle server: {n_requests} requests with a prompt of 9 tokens, all but the last cached, and streams"
    )
    notes = (LEGEND, *describe(rounds, "trace"))
    return Result("trace", title, tuple(figures), notes, "\n".join(tables[1:]))


async def _measure(settings: Settings, directory: Path) -> Rounds[Any]:
    """What clients saw: requests by API and pause, and arrivals by API and number of streams."""
    with traced_server(settings, directory) as server:
        assert server.grpc_address is not None
        async with GrpcTarget(server.grpc_address) as grpc:
            targets: dict[str, Target] = {"REST": RestTarget(server.rest_port), "gRPC": grpc}
            variants: dict[str, Callable[[], Awaitable[Any]]] = {}
            for api, target in targets.items():
                variants |= {f"{api}, {pause}": partial(_ask, target, _PAUSES[pause]) for pause in _PAUSES}
                variants |= {f"{api}, {n}": partial(_stream, target, n, settings.tokens) for n in _STREAMS}
            for measure in variants.values():
                await measure()  # fills the prompt's cache, and imports what is imported late
            return await alternate(variants, repeats=settings.repeats, max_foreign_cores=settings.max_foreign_cores)


async def _ask(target: Target, pause_s: float) -> list[Request]:
    """Send one request after the other."""
    await target.generate(_JOBS[-1])  # the streams before may have taken its slot
    requests = []
    for job in itertools.islice(itertools.cycle(_JOBS), _REQUESTS):
        await asyncio.sleep(pause_s)
        timing = await target.generate(job)
        requests.append(Request(_ns(timing.sent), _ns(timing.first_token)))
    return requests


async def _stream(target: Target, n_streams: int, n_tokens: int) -> list[list[int]]:
    """When the outputs of each stream arrived."""
    timings = await run_together(target, story_jobs(n_streams, n_tokens))
    return [[_ns(arrival) for arrival in timing.arrivals] for timing in timings]


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)


def _first_tokens(api: str, rounds: Rounds[Any], marks: Marks) -> dict[str, _Trace]:
    """What each request took, by the way of asking."""
    return {
        pause: [follow(HOPS[api], one, marks) for requests in rounds.samples[f"{api}, {pause}"] for one in requests]
        for pause in _PAUSES
    }


def _tokens(api: str, rounds: Rounds[Any], marks: Marks) -> dict[str, _Trace]:
    """What the tokens of each step took; of several streams the first and the last one of the step."""
    found: dict[str, _Trace] = {}
    for n_streams in _STREAMS:
        steps = [
            step for arrivals in rounds.samples[f"{api}, {n_streams}"] for step in follow_steps(api, arrivals, marks)
        ]
        if n_streams == 1:
            found["1 stream"] = [step.first for step in steps]
        else:
            found[f"{n_streams} streams, first"] = [step.first for step in steps]
            found[f"{n_streams} streams, last"] = [step.last for step in steps]
    # On a machine that is too busy, or with a model that is too fast, no token had arrived before the next one came.
    return {name: trace for name, trace in found.items() if trace}


def _figures(title: str, hops: Sequence[Hop], traces: Mapping[str, _Trace]) -> list[Figure]:
    """A figure for each hop and for the whole, with a sample for each request or step."""
    figures = []
    for name, trace in traces.items():
        walls = [[passage.wall_ms for passage in passages] for passages in trace]
        columns = [*zip(*walls, strict=True), tuple(map(sum, walls))]
        for hop, samples in zip((*(hop.name for hop in hops), "the whole"), columns, strict=True):
            figures.append(Figure(f"{title}, {name}: {hop}", "ms", samples))
    return figures
