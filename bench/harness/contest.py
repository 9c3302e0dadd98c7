"""Slotline and llama-server side by side: started with equal options, measured in turns, compared by pairs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bench.harness.errors import BenchError
from bench.harness.grpc_client import GrpcTarget
from bench.harness.load import Target, run_together, story_jobs
from bench.harness.report import Figure, Goal, Point, Result
from bench.harness.rest_client import RestTarget
from bench.harness.rounds import Rounds, alternate, describe
from bench.harness.servers import (
    PEER,
    STOCK_PEER,
    Endpoints,
    common_options,
    left_out,
    llama_server,
    peers_of,
    slotline_server,
)
from bench.harness.stats import pair_ratios

if TYPE_CHECKING:
    from bench.settings import Settings

GRPC, REST = "gRPC", "REST"

#: Goals of ratios to llama-server: not slower, and not later.
AS_FAST = Goal("at least", 1.0)
AS_SOON = Goal("at most", 1.0)

#: Tokens of each stream that warms a server up.
_WARM_UP_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something that is measured of every contestant.

    Attributes:
        name: key in the samples, and name in the report.
        unit: unit of the samples; a quantity without one is a share and is not divided by the peer's.
        goal: limit for the median of the contestant that is judged, or None.
        ratio_goal: limit for the median of its ratio to each peer, or None.
        is_of_peers: whether the peers' figures mean anything.
    """

    name: str
    unit: str
    goal: Goal | None = None
    ratio_goal: Goal | None = None
    is_of_peers: bool = True


Sample = Mapping[str, float]
MeasureTarget = Callable[[Target], Awaitable[Sample]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a measurement stands on curves: at ``x`` of ``axis``, for example 8 of ``streams``."""

    axis: str
    x: float


class Contest:
    """Servers that run side by side, and what has been measured of them; made by ``contest``.

    Attributes:
        targets: the servers that could be started, by name.
    """

    def __init__(
        self, settings: Settings, servers: Mapping[str, Endpoints], ours: Sequence[str], theirs: Sequence[str] = ()
    ) -> None:
        self._settings = settings
        self._servers = dict(servers)
        self._own_options = {"Slotline": ours, PEER: theirs}
        self._figures: list[Figure] = []
        self._notes: dict[str, None] = {}
        self._failures: dict[str, None] = {}
        self.targets: dict[str, Target] = {}

    async def start(self, stack: AsyncExitStack, *, has_grpc: bool) -> None:
        """Wait until the servers are ready, and warm them up. One that fails is left out from now on."""
        for name, server in self._servers.items():
            try:
                server.server.wait_for_health(server.health_url)
                if name == REST and has_grpc:
                    assert server.grpc_address is not None
                    grpc = await stack.enter_async_context(GrpcTarget(server.grpc_address))
                    await self._warm_up(grpc)
                    self.targets[GRPC] = grpc
                target = RestTarget(server.rest_port)
                await self._warm_up(target)
            except (BenchError, OSError, EOFError) as error:
                self._fail("start", name, error)
            else:
                self.targets[name] = target

    async def measure(
        self,
        quantities: Sequence[Quantity],
        measure: MeasureTarget,
        *,
        label: str = "",
        place: Place | None = None,
        names: Collection[str] | None = None,
    ) -> Rounds[Sample]:
        """Measure every target once per round. What fails is reported, and its figures are missing.

        Args:
            label: what tells these figures from others of the same quantities.
            place: for a point of curves.
            names: the targets to measure; None for all.
        """
        chosen = {name: target for name, target in self.targets.items() if names is None or name in names}
        settings = self._settings
        rounds = await alternate(
            {name: partial(measure, target) for name, target in chosen.items()},
            repeats=settings.repeats,
            max_foreign_cores=settings.max_foreign_cores,
            on_failure=partial(self._fail, label),
        )
        self._figures += figures_of(rounds, quantities, label=label, place=place)
        self._notes |= dict.fromkeys(notes_of(settings, rounds, label or "all", own=self._own_options))
        return rounds

    def add(self, figures: Sequence[Figure]) -> None:
        """Add figures that were computed from the samples."""
        self._figures += figures

    def result(self, scenario: str, title: str) -> Result:
        """Everything measured so far."""
        return Result(scenario, title, tuple(self._figures), tuple(self._notes), failures=tuple(self._failures))

    async def _warm_up(self, target: Target) -> None:
        await run_together(target, story_jobs(self._settings.n_slots, _WARM_UP_TOKENS))

    def _fail(self, label: str, name: str, error: Exception) -> None:
        """Note a failure; if the server is gone, its own last words say more than the broken connection."""
        process = self._servers[REST if name == GRPC else name].server
        if process.process.poll() is not None:
            error = process.failure(f"ended with exit code {process.process.returncode} while it was measured")
        what = f"{name}, {label}" if label else name
        self._failures[f"{what}: {str(error) or type(error).__name__}"] = None


@asynccontextmanager
async def contest(
    settings: Settings, *, ours: Sequence[str] = (), theirs: Sequence[str] = (), has_grpc: bool = True
) -> AsyncIterator[Contest]:
    """Running servers, warmed up: Slotline over gRPC and REST, and each build of llama-server that the settings name.

    Args:
        ours: options for Slotline that llama-server does not have.
        theirs: options for llama-server that Slotline does not have.
        has_grpc: whether Slotline is measured over gRPC, too, unless the settings leave that out.

    Raises:
        BenchError: a build of llama-server is missing.
    """
    async with AsyncExitStack() as stack:
        servers = {REST: stack.enter_context(slotline_server(settings, *ours))}
        for name, peers in peers_of(settings).items():
            servers[name] = stack.enter_context(llama_server(settings, peers, *theirs, name=name))
        running = Contest(settings, servers, ours, theirs)
        await running.start(stack, has_grpc=has_grpc and settings.has_grpc)
        yield running


def compare(
    settings: Settings,
    scenario: str,
    title: str,
    quantities: Sequence[Quantity],
    measure: MeasureTarget,
    *,
    ours: Sequence[str] = (),
    has_grpc: bool = True,
) -> Result:
    """Run one contest from start to end: every target is measured once per round."""

    async def run() -> Result:
        async with contest(settings, ours=ours, has_grpc=has_grpc) as running:
            await running.measure(quantities, measure)
        return running.result(scenario, title)

    return asyncio.run(run())


async def measure_fresh(
    settings: Settings,
    scenario: str,
    title: str,
    quantities: Sequence[Quantity],
    measure: Callable[[Endpoints], Awaitable[Sample]],
) -> Result:
    """Start every server anew for each sample, one at a time; ``measure`` gets one that is not ready yet."""
    servers: dict[str, Callable[[], AbstractContextManager[Endpoints]]] = {
        REST: partial(slotline_server, settings),
        **{name: partial(llama_server, settings, peers, name=name) for name, peers in peers_of(settings).items()},
    }
    failures: list[str] = []

    async def one(start: Callable[[], AbstractContextManager[Endpoints]]) -> Sample:
        with start() as server:
            return await measure(server)

    rounds = await alternate(
        {name: partial(one, start) for name, start in servers.items()},
        repeats=settings.repeats,
        max_foreign_cores=settings.max_foreign_cores,
        on_failure=lambda name, error: failures.append(f"{name}: {error}"),
    )
    figures = tuple(figures_of(rounds, quantities))
    return Result(scenario, title, figures, notes_of(settings, rounds, "all"), failures=tuple(failures))


def figures_of(
    rounds: Rounds[Sample],
    quantities: Sequence[Quantity],
    *,
    label: str = "",
    place: Place | None = None,
    peers: Sequence[str] = (PEER, STOCK_PEER),
    judged: str = REST,
) -> list[Figure]:
    """Every quantity of every contestant, and its ratio to each peer's, pair by pair.

    Args:
        peers: contestants that the others are divided by.
        judged: whose figures the goals are for.
    """
    figures: list[Figure] = []
    for quantity in quantities:
        row = f"{quantity.name}, {label}" if label else quantity.name
        plot = "" if place is None else f"{quantity.name} by {place.axis}"
        samples = {name: tuple(s[quantity.name] for s in taken) for name, taken in rounds.samples.items()}
        if not quantity.is_of_peers:
            samples = {name: values for name, values in samples.items() if name not in peers}
        for name, values in samples.items():
            goal = quantity.goal if name == judged else None
            figures.append(Figure(row, quantity.unit, values, goal, _point(plot, name, place), name))
        for peer in (peer for peer in peers if peer in samples):
            # What may be zero has no ratio.
            if not quantity.unit or min(samples[peer]) <= 0:
                continue
            for name in (name for name in samples if name not in peers):
                goal = quantity.ratio_goal if name == judged else None
                ratios = pair_ratios(samples[name], samples[peer])
                figures.append(Figure(row, "", ratios, goal, _point(plot, f"{name} / {peer}", place), name, peer))
    return figures


def _point(plot: str, line: str, place: Place | None) -> Point | None:
    return None if place is None else Point(plot, line, place.x)


def notes_of(
    settings: Settings, rounds: Rounds[Sample], what: str, *, own: Mapping[str, Sequence[str]] | None = None
) -> tuple[str, ...]:
    """What the servers were started with, who is missing, and whether others disturbed the measurement.

    Args:
        own: options that only some servers have, by their names.
    """
    options = f"options of every server: {' '.join(common_options(settings))}"
    others = (f"options of {name} alone: {' '.join(given)}" for name, given in (own or {}).items() if given)
    return (options, *others, *left_out(settings), *describe(rounds, what))
