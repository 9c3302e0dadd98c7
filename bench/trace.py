"""Where the time goes: each hop's share of the first token of a cached prompt, over REST and over gRPC."""

from __future__ import annotations

import asyncio
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.harness.grpc_client import GrpcTarget
from bench.harness.load import Job, Target
from bench.harness.report import Figure, Result
from bench.harness.rest_client import RestTarget
from bench.harness.rounds import Rounds, alternate, describe
from bench.harness.tracing.hops import GRPC_HOPS, REST_HOPS, Hop, Passage, Request, follow
from bench.harness.tracing.recorder import read_marks
from bench.harness.tracing.server import mark_files, traced_server
from bench.harness.tracing.table import render_hops

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from bench.settings import Settings

#: Requests of one round.
_REQUESTS = 20

#: Ways of asking, by the pause before each request in seconds.
_PAUSES: Final = {"pause of 50 ms": 0.05, "back to back": 0.0}

_WAYS: Final[Mapping[str, Sequence[Hop]]] = {"REST": REST_HOPS, "gRPC": GRPC_HOPS}

#: The prompt stays cached, so that only its last token is evaluated.
_JOB = Job("The old garden gate creaked and then", n_tokens=4, seed=1, cache_prompt=True)

_Asking = tuple[str, str]
_Trace = list[list[Passage]]


def run(settings: Settings) -> Result:
    """Trace requests over both APIs, with and without pauses."""
    with tempfile.TemporaryDirectory(prefix="slotline-trace-") as name:
        directory = Path(name)
        rounds = asyncio.run(_measure(settings, directory))
        marks = read_marks(mark_files(directory))
    traces = {
        asking: [follow(_WAYS[asking[0]], request, marks) for sample in samples for request in sample]
        for asking, samples in _by_asking(rounds).items()
    }
    title = f"first token of a cached 8-token prompt, idle server; {_REQUESTS * settings.repeats} requests each, in ms"
    return Result("trace", title, tuple(_figures(traces)), describe(rounds, "trace"), "\n".join(_tables(traces)))


async def _measure(settings: Settings, directory: Path) -> Rounds[tuple[Request, ...]]:
    """What clients saw, by API and pause."""
    with traced_server(settings, directory) as server:
        assert server.grpc_address is not None
        async with GrpcTarget(server.grpc_address) as grpc:
            targets: dict[str, Target] = {"REST": RestTarget(server.rest_port), "gRPC": grpc}
            variants: dict[str, Callable[[], Awaitable[tuple[Request, ...]]]] = {
                _label((way, pause)): partial(_ask, targets[way], _PAUSES[pause]) for way in _WAYS for pause in _PAUSES
            }
            for measure in variants.values():
                await measure()  # fills the prompt's cache, and imports what is imported late
            return await alternate(variants, repeats=settings.repeats, max_foreign_cores=settings.max_foreign_cores)


async def _ask(target: Target, pause_s: float) -> tuple[Request, ...]:
    """Send one request after the other."""
    requests = []
    for _ in range(_REQUESTS):
        await asyncio.sleep(pause_s)
        timing = await target.generate(_JOB)
        requests.append(Request(_ns(timing.sent), _ns(timing.first_token)))
    return tuple(requests)


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)


def _label(asking: _Asking) -> str:
    return ", ".join(asking)


def _by_asking(rounds: Rounds[tuple[Request, ...]]) -> dict[_Asking, tuple[tuple[Request, ...], ...]]:
    return {(way, pause): rounds.samples[_label((way, pause))] for way in _WAYS for pause in _PAUSES}


def _figures(traces: Mapping[_Asking, _Trace]) -> list[Figure]:
    """A figure for each hop, with a sample for each request."""
    figures = []
    for asking, requests in traces.items():
        names = [hop.name for hop in _WAYS[asking[0]]]
        for name, passages in zip(names, zip(*requests, strict=True), strict=True):
            walls = tuple(passage.wall_ms for passage in passages)
            figures.append(Figure(f"{_label(asking)}: {name}", "ms", walls))
        wholes = tuple(sum(passage.wall_ms for passage in passages) for passages in requests)
        figures.append(Figure(f"{_label(asking)}: the whole", "ms", wholes))
    return figures


def _tables(traces: Mapping[_Asking, _Trace]) -> list[str]:
    """The tables, one for each API."""
    lines: list[str] = []
    for way, hops in _WAYS.items():
        lines += ["", f"{way}:", *render_hops(hops, {pause: traces[way, pause] for pause in _PAUSES})]
    return lines[1:]
