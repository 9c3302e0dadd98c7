"""The figures of a simulation: speed, waiting, smoothness, fairness, use of slots and cache."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from bench.simulation.visits import End, Visit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from bench.simulation.simulation import Server, SimulationResult

#: Prompts of at most so many tokens are short, those of at least so many long.
SHORT, LONG = 128, 512

#: Figures by name and unit, in the order in which they should be read; what there is nothing of is left out.
Figures = dict[str, float]


def figures(server: Server, outcome: SimulationResult) -> Figures:
    """What a simulation came to."""
    return {
        **_ends(outcome),
        **_speed(outcome),
        **_waiting(outcome.visits),
        **_spread("gap, ms", np.array(outcome.journal.gaps_s) * 1000),
        **_fairness(outcome.visits),
        **_use(server, outcome),
        **_simulator(outcome),
    }


def jain(values: Sequence[float]) -> float:
    """Jain's index of fairness: 1 if all values are equal, 1/n if one has everything; NaN for no values.

    Source: R. Jain, D. Chiu, W. Hawe, "A Quantitative Measure of Fairness and Discrimination for Resource Allocation in
    Shared Computer Systems" (DEC-TR-301).
    """
    squares = sum(value * value for value in values)
    return sum(values) ** 2 / (len(values) * squares) if squares else float("nan")


def first_token_waits(visits: Iterable[Visit], accept: Callable[[Visit], bool] = lambda visit: True) -> list[float]:
    """Seconds from arrival to the first token, of those that got one."""
    return [visit.first_s - visit.arrived_s for visit in visits if visit.first_s is not None and accept(visit)]


def goodput(outcome: SimulationResult) -> float:
    """Tokens of complete answers per second."""
    n_tokens = sum(visit.n_tokens for visit in outcome.visits if visit.end is End.ANSWERED)
    return n_tokens / outcome.virtual_s


def _ends(outcome: SimulationResult) -> Figures:
    n = len(outcome.visits)
    shares = {end: sum(visit.end is end for visit in outcome.visits) / n for end in End}
    return {"requests": n} | {f"{end.value}, share": share for end, share in shares.items()}


def _speed(outcome: SimulationResult) -> Figures:
    counters, virtual_s = outcome.counters, outcome.virtual_s
    return {
        "time, s": virtual_s,
        "requests answered/s": sum(visit.end is End.ANSWERED for visit in outcome.visits) / virtual_s,
        "goodput, tokens/s": goodput(outcome),
        "answer tokens/s": counters.predicted_tokens / virtual_s,
        "prompt tokens evaluated/s": counters.prompt_tokens / virtual_s,
    }


def _waiting(visits: Sequence[Visit]) -> Figures:
    queued = [visit.accepted_s - visit.arrived_s for visit in visits if visit.accepted_s is not None]
    return {
        **_spread("queue, s", queued),
        **_spread("first token, s", first_token_waits(visits)),
        **_spread("first token of short prompts, s", first_token_waits(visits, _is_short), percents=(50, 95)),
        **_spread("first token of long prompts, s", first_token_waits(visits, _is_long), percents=(50, 95)),
    }


def _fairness(visits: Sequence[Visit]) -> Figures:
    """How equal the clients' speeds were: tokens over the time that they waited and read."""
    tokens: defaultdict[int, int] = defaultdict(int)
    present_s: defaultdict[int, float] = defaultdict(float)
    for visit in visits:
        if visit.end is End.ANSWERED:
            tokens[visit.client] += visit.n_tokens
            present_s[visit.client] += visit.ended_s - visit.arrived_s
    speeds = [tokens[client] / present_s[client] for client in tokens]
    return {"fairness over clients": jain(speeds)} if speeds else {}


def _use(server: Server, outcome: SimulationResult) -> Figures:
    counters = outcome.counters
    n_prompt = counters.prompt_tokens + counters.cached_prompt_tokens
    return {
        "prompt from cache, share": counters.cached_prompt_tokens / max(1, n_prompt),
        "slots in use, share": outcome.busy_slot_s / (server.config.n_slots * outcome.virtual_s),
        "longest queue": outcome.longest_queue,
        "preemptions": counters.preemptions,
        "steps": counters.steps,
        "answer tokens per step": counters.predicted_tokens / max(1, counters.steps),
    }


def _simulator(outcome: SimulationResult) -> Figures:
    return {
        "simulated in, s": outcome.real_s,
        "simulated requests/s": len(outcome.visits) / outcome.real_s,
        "engine and simulator, µs per step": outcome.real_s / max(1, outcome.counters.steps) * 1e6,
    }


def _spread(name: str, values: Sequence[float] | np.ndarray, percents: Sequence[int] = (50, 95, 99, 100)) -> Figures:
    if not len(values):
        return {}
    named = {50: "p50", 95: "p95", 99: "p99", 100: "max"}
    return {
        f"{name} {named[percent]}": float(value)
        for percent, value in zip(percents, np.percentile(values, percents), strict=True)
    }


def _is_short(visit: Visit) -> bool:
    return visit.n_prompt <= SHORT


def _is_long(visit: Visit) -> bool:
    return visit.n_prompt >= LONG
