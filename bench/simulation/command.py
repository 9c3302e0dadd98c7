"""``python -m bench simulate [MIX]``: traffic of thousands of requests against the real scheduler, in virtual time."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.harness.errors import BenchError
from bench.simulation.arrivals import Arrivals, Bursts, ClosedLoop, Diurnal, Poisson
from bench.simulation.figures import figures
from bench.simulation.profile import DEFAULT_PROFILE, read_profile
from bench.simulation.report import Variant, render_table, to_json
from bench.simulation.simulation import Server, Traffic, simulate
from bench.simulation.variants import variants
from bench.simulation.workload import MIXES, Kind
from service.config import EngineConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

_ARRIVALS = ("poisson", "bursts", "diurnal", "closed")
#: What the capacity is found out with: users per slot, and requests per slot, but at least some.
_USERS_PER_SLOT, _REQUESTS_PER_SLOT, _MIN_REQUESTS = 2, 20, 200


def main(command_line: Sequence[str] | None = None) -> int:
    """Parse the command line, simulate, report."""
    arguments = _parse(command_line)
    try:
        return _run(arguments)
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def capacity(server: Server, mix: tuple[Kind, ...], seed: int) -> float:
    """Requests of a mix that a server answers per second while there are always more."""
    # Nobody leaves, thinks or is refused: that would measure the clients.
    eager = tuple(dataclasses.replace(kind, leave_share=0.0, think_s=0.0) for kind in mix)
    patient = dataclasses.replace(server, config=dataclasses.replace(server.config, max_queue=sys.maxsize))
    n_slots = server.config.n_slots
    n_requests = max(_MIN_REQUESTS, _REQUESTS_PER_SLOT * n_slots)
    outcome = simulate(patient, Traffic(eager, ClosedLoop(_USERS_PER_SLOT * n_slots), n_requests, seed))
    ends = sorted(visit.ended_s for visit in outcome.visits)
    # Neither the beginning nor the end, when slots are empty.
    first, last = len(ends) // 10, len(ends) * 8 // 10
    return (last - first) / (ends[last] - ends[first])


def _run(arguments: argparse.Namespace) -> int:
    server = Server(EngineConfig(n_slots=8, n_ctx_slot=2048, max_queue=128), 0, read_profile(arguments.profile))
    servers = variants(server, arguments.set)
    mix = MIXES[arguments.mix]
    per_s = arguments.capacity
    if per_s is None and arguments.arrivals != "closed":
        per_s = capacity(next(iter(servers.values())), mix, arguments.seed)
    traffic = Traffic(mix, _arrivals(arguments, mix, per_s), arguments.requests, arguments.seed)
    conditions = {"mix": arguments.mix, "traffic": repr(traffic.arrivals), "seed": arguments.seed}
    if per_s is not None:
        conditions["capacity, requests/s"] = round(per_s, 3)
    for name, fact in conditions.items():
        print(f"{name}: {fact}")
    found = []
    for name, variant in servers.items():
        found.append(Variant(name, figures(variant, simulate(variant, traffic))))
    print(f"\n{render_table(found)}")
    if arguments.json is not None:
        arguments.json.write_text(to_json(found, conditions | {"profile": dict(server.profile.conditions)}))
    return 0


def _arrivals(arguments: argparse.Namespace, mix: tuple[Kind, ...], per_s: float | None) -> Arrivals | ClosedLoop:
    if per_s is None:
        return ClosedLoop(arguments.users)
    turns = sum(kind.weight * sum(kind.turns) / 2 for kind in mix) / sum(kind.weight for kind in mix)
    rate = arguments.load * per_s / turns
    if arguments.arrivals == "bursts":
        return Bursts(rate, arguments.burst)
    if arguments.arrivals == "diurnal":
        return Diurnal(rate, arguments.period)
    return Poisson(rate)


def _parse(command_line: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench simulate", description="Run the scheduler in virtual time, on measured costs of steps."
    )
    parser.add_argument("mix", nargs="?", choices=MIXES, default="mixed", help="what is asked (default: mixed)")
    parser.add_argument("--requests", type=int, default=1000, metavar="N", help="how many in all (default: 1000)")
    parser.add_argument("--arrivals", choices=_ARRIVALS, default="poisson", help="when they come (default: poisson)")
    parser.add_argument(
        "--load", type=float, default=0.8, metavar="X", help="part of the capacity that is asked for (default: 0.8)"
    )
    parser.add_argument(
        "--capacity",
        type=float,
        metavar="N",
        help="requests per second that the load refers to (default: what the first variant can do)",
    )
    parser.add_argument("--burst", type=int, default=8, metavar="N", help="requests of a burst (default: 8)")
    parser.add_argument(
        "--period", type=float, default=600.0, metavar="S", help="seconds of a simulated day (default: 600)"
    )
    parser.add_argument("--users", type=int, default=16, metavar="N", help="users of a closed loop (default: 16)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of everything drawn (default: 1)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE[,VALUE...]",
        help="a field of EngineConfig, or n_cells; several values are compared (default: n_slots=8, n_ctx_slot=2048)",
    )
    parser.add_argument(
        "--profile", type=Path, default=DEFAULT_PROFILE, metavar="FILE", help="costs of steps (default: two_cores.json)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to this file, too")
    arguments = parser.parse_args(command_line)
    for option in ("requests", "load", "capacity", "burst", "period", "users"):
        value = getattr(arguments, option)
        if value is not None and not value > 0:
            parser.error(f"--{option}: {value} is not above 0")
    return arguments
