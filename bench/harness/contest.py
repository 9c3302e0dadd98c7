"""Slotline and llama-server side by side: started with equal options, measured in turns, compared by pairs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bench.harness.errors import BenchError
from bench.harness.grpc_client import GrpcTarget
from bench.harness.load import Target, run_together, story_jobs
from bench.harness.report import Figure, Goal, Point, Result
from bench.harness.rest_client import RestTarget
from bench.harness.rounds import Rounds, alternate, describe
from bench.harness.servers import common_options, find_peers, llama_server, slotline_server
from bench.harness.stats import pair_ratios

if TYPE_CHECKING:
    from bench.settings import Settings

GRPC, REST, PEER = "gRPC", "REST", "llama-server"

#: Tokens of each stream that warms a server up.
_WARM_UP_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something that is measured of every server.

    Attributes:
        name: key in the samples, and name in the report.
        unit: unit of the samples; a quantity without one is a share and is not divided by the peer's.
        goal: limit for Slotline's median over REST, or None.
        ratio_goal: limit for the median ratio of Slotline over REST to llama-server, or None.
    """

    name: str
    unit: str
    goal: Goal | None = None
    ratio_goal: Goal | None = None


Sample = Mapping[str, float]
MeasureTarget = Callable[[Target], Awaitable[Sample]]


def compare(
    settings: Settings, scenario: str, title: str, quantities: Sequence[Quantity], measure: MeasureTarget
) -> Result:
    """Run one contest from start to end: every target is measured once per round."""

    async def run() -> Result:
        async with contestants(settings) as targets:
            rounds = await contest(settings, targets, measure)
        return Result(scenario, title, tuple(figures_of(rounds, quantities)), notes_of(settings, rounds, scenario))

    return asyncio.run(run())


@asynccontextmanager
async def contestants(
    settings: Settings, *, ours: Sequence[str] = (), has_grpc: bool = True
) -> AsyncIterator[dict[str, Target]]:
    """Running servers by name, warmed up: Slotline over gRPC and REST, and llama-server if the settings have peers.

    Args:
        ours: options for Slotline that llama-server does not have.
        has_grpc: whether Slotline is measured over gRPC, too.

    Raises:
        BenchError: a server could not be started, ended or broke a connection.
    """
    async with AsyncExitStack() as stack:
        own = stack.enter_context(slotline_server(settings, *ours))
        servers = [own]
        if settings.peers_python is not None:
            servers.append(stack.enter_context(llama_server(settings, find_peers(settings.peers_python))))
        for server in servers:
            server.server.wait_for_health(server.health_url)
        targets: dict[str, Target] = {}
        if has_grpc:
            assert own.grpc_address is not None
            targets[GRPC] = await stack.enter_async_context(GrpcTarget(own.grpc_address))
        targets |= {name: RestTarget(server.rest_port) for name, server in zip((REST, PEER), servers, strict=False)}
        try:
            for target in targets.values():
                await run_together(target, story_jobs(settings.n_slots, _WARM_UP_TOKENS))
            yield targets
        except (BenchError, OSError, EOFError) as error:
            for server in servers:
                if server.server.process.poll() is not None:
                    code = server.server.process.returncode
                    raise server.server.failure(f"ended with exit code {code} while it was measured") from error
            if isinstance(error, BenchError):
                raise
            raise BenchError(f"a connection broke: {error}") from error


async def contest(settings: Settings, targets: Mapping[str, Target], measure: MeasureTarget) -> Rounds[Sample]:
    """Measure every target once per round."""
    variants = {name: partial(measure, target) for name, target in targets.items()}
    return await alternate(variants, repeats=settings.repeats, max_foreign_cores=settings.max_foreign_cores)


def figures_of(rounds: Rounds[Sample], quantities: Sequence[Quantity], *, label: str = "") -> list[Figure]:
    """Every quantity of every target, and its ratio to llama-server's, pair by pair."""
    figures: list[Figure] = []
    suffix = f", {label}" if label else ""
    for quantity in quantities:
        samples = {name: tuple(s[quantity.name] for s in taken) for name, taken in rounds.samples.items()}
        for name, values in samples.items():
            goal = quantity.goal if name == REST else None
            figures.append(Figure(f"{quantity.name}{suffix}: {name}", quantity.unit, values, goal))
        # What may be zero has no ratio.
        if PEER in samples and quantity.unit and min(samples[PEER]) > 0:
            for name in (name for name in samples if name != PEER):
                goal = quantity.ratio_goal if name == REST else None
                ratios = pair_ratios(samples[name], samples[PEER])
                figures.append(Figure(f"{quantity.name}{suffix}: {name} / {PEER}", "", ratios, goal))
    return figures


def curve_of(rounds: Rounds[Sample], quantity: Quantity, *, axis: str, x: float) -> list[Figure]:
    """One point of a curve per target, and of the curve of ratios."""
    return [
        Figure(figure.name, figure.unit, figure.samples, figure.goal, Point(f"{quantity.name} by {axis}", line, x))
        for figure in figures_of(rounds, [quantity], label=f"{axis} {x:g}")
        for line in [figure.name.rpartition(": ")[2]]
    ]


def notes_of(settings: Settings, rounds: Rounds[Sample], what: str, *, ours: Sequence[str] = ()) -> tuple[str, ...]:
    """What the servers were started with, and whether others disturbed the measurement."""
    options = f"options of every server ({what}): {' '.join(common_options(settings))}"
    own = (f"options of Slotline alone ({what}): {' '.join(ours)}",) if ours else ()
    return (options, *own, *describe(rounds, what))
