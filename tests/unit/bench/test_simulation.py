"""The scheduler under simulated traffic. Time is virtual, so every figure is exact and the same on every machine."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from bench.simulation.arrivals import Arrivals, Bursts, ClosedLoop, Poisson
from bench.simulation.command import capacity
from bench.simulation.figures import figures, first_token_waits, goodput
from bench.simulation.profile import CostProfile
from bench.simulation.simulation import Server, SimulationResult, Traffic, simulate
from bench.simulation.visits import End, Visit
from bench.simulation.workload import MIXES, Kind, Lengths
from service.config import EngineConfig

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

#: A machine of round figures: a token alone takes 8 ms, eight take 15 ms, and 100 tokens of a prompt 120 ms.
PROFILE = CostProfile(
    batch_s=((1, 0.006), (8, 0.012), (512, 0.600)),
    row_s=0.0005,
    walk_s=(0.1e-6, 0.1e-6),
    attend_s=(0.1e-6, 0.1e-6),
    copy_cell_s=3e-6,
    cell_bytes=23_000,
)
CONFIG = EngineConfig(n_slots=8, n_ctx_slot=2048, max_queue=32)
SERVER = Server(CONFIG, 8 * 2048, PROFILE)


def fixed(n_tokens: int) -> Lengths:
    return Lengths(n_tokens, 0.0, n_tokens, n_tokens)


@dataclass(frozen=True)
class At:
    """Conversations at given moments."""

    moments: tuple[float, ...]

    def times(self, rng: random.Random) -> Iterator[float]:
        return iter(self.moments)


def run(
    mix: tuple[Kind, ...], arrivals: Arrivals | ClosedLoop, n_requests: int, server: Server = SERVER
) -> SimulationResult:
    return simulate(server, Traffic(mix, arrivals, n_requests))


def configured(n_cells: int | None = None, **changes: object) -> Server:
    config = dataclasses.replace(CONFIG, **changes)  # type: ignore[arg-type]
    return Server(config, n_cells or config.n_slots * config.n_ctx_slot, PROFILE)


def test_the_same_seed_gives_the_same_figures() -> None:
    def once(seed: int) -> dict[str, float]:
        outcome = simulate(SERVER, Traffic(MIXES["leaving"], Poisson(2.0), 60, seed))
        return figures(SERVER, dataclasses.replace(outcome, real_s=1.0))

    assert once(1) == once(1)
    assert once(1) != once(2)


@pytest.mark.parametrize("mix", sorted(MIXES))
@pytest.mark.parametrize(
    ("arrivals", "n_cells"),
    [(Poisson(2.0), 8 * 2048), (Bursts(20.0, 50), 8 * 2048), (ClosedLoop(60), 8 * 2048), (Poisson(2.0), 4096)],
    ids=["poisson", "bursts beyond the queue", "closed loop beyond the queue", "too few cells"],
)
def test_every_request_ends_exactly_once(mix: str, arrivals: Arrivals | ClosedLoop, n_cells: int) -> None:
    # A visit that ended twice raises; the counts of the engine must be those of the clients.
    outcome = run(MIXES[mix], arrivals, 120, configured(n_cells))
    ends = [visit.end for visit in outcome.visits]
    assert len(ends) == 120
    assert None not in ends
    assert End.FAILED not in ends
    assert sum(outcome.counters.requests) == 120 - ends.count(End.REFUSED)
    for visit in outcome.visits:
        assert visit.end is not End.ANSWERED or visit.n_tokens == visit.n_answer


def test_a_stream_never_pauses_for_longer_than_the_budget_and_a_step_beside_long_prompts() -> None:
    stream = Kind("stream", fixed(8), fixed(300))
    document = Kind("document", fixed(1500), fixed(2))
    outcome = run((stream, document), ClosedLoop(6), 40)
    assert {visit.kind for visit in outcome.visits} == {"stream", "document"}
    # Prompts get 100 ms, and the tokens of up to 8 slots are evaluated beside them.
    longest_step_s = 0.100 + PROFILE.step_s(8, 8, 8 * 2048, 8 * 2048)
    assert max(outcome.journal.gaps_s) <= longest_step_s
    # The budget is used: smaller chunks than it allows would be evaluated less efficiently.
    assert max(outcome.journal.gaps_s) >= 0.100


def test_a_burst_evaluates_what_its_prompts_share_once() -> None:
    kind = Kind("chat", fixed(20), fixed(8), prefix_share=1.0, n_prefixes=1, prefix_tokens=540)
    outcome = run((kind,), At((0.0,) * 8), 8)
    assert [visit.n_prompt for visit in outcome.visits] == [560] * 8
    # 540 once and 20 for each; messages may begin alike by chance.
    assert 680 <= outcome.counters.prompt_tokens <= 540 + 8 * 20


def test_conversations_find_what_was_said_before_in_the_cache() -> None:
    kind = Kind("chat", fixed(40), fixed(30), turns=(4, 4), think_s=2.0)
    # Three times as many conversations as slots: their histories go to main memory and come back.
    outcome = run((kind,), At((0.0,) * 24), 96)
    assert [visit.end for visit in outcome.visits] == [End.ANSWERED] * 96
    # Of the four prompts of 40, 110, 180 and 250 tokens only the 40 new ones and the last of the answer are evaluated.
    assert outcome.counters.prompt_tokens <= 24 * (4 * 40 + 3 * 2)


def test_short_prompts_are_not_starved_by_long_ones() -> None:
    short = Kind("short", fixed(30), fixed(20))
    document = Kind("document", fixed(1500), fixed(20))
    outcome = run((short, document), ClosedLoop(8), 80)
    waits = first_token_waits(outcome.visits, lambda visit: visit.kind == "short")
    # There is a slot for everybody, so nothing but sharing the budget delays them: 30 tokens beside up to seven other
    # prompts take a few steps, where a document takes tens.
    assert max(waits) <= 8 * 0.150
    assert max(waits) < min(first_token_waits(outcome.visits, lambda visit: visit.kind == "document"))


def test_long_prompts_are_not_starved_by_short_ones() -> None:
    # As many short prompts as the other slots can take, all the time.
    short = Kind("short", fixed(60), fixed(4), weight=0.97)
    document = Kind("document", fixed(1500), fixed(4), weight=0.03)
    outcome = run((short, document), ClosedLoop(8), 400)
    waits = first_token_waits(outcome.visits, lambda visit: visit.kind == "document")
    assert len(waits) >= 5
    # Documents take turns, up to four of them here. The oldest has a quarter of the budget for itself: 1,500 tokens at
    # 1.2 ms, four times.
    assert max(waits) <= 4 * 4 * 1500 * 0.0012


def test_ten_times_the_capacity_costs_no_goodput_and_the_queue_is_bounded() -> None:
    mix = MIXES["chat"]
    per_s = capacity(SERVER, mix, seed=1)
    full = run(mix, ClosedLoop(16), 400)
    flooded = run(mix, Poisson(10 * per_s), 2000)
    assert flooded.longest_queue <= CONFIG.max_queue + CONFIG.n_slots
    assert {visit.end for visit in flooded.visits} == {End.ANSWERED, End.REFUSED}
    assert goodput(flooded) >= 0.95 * goodput(full)


def test_clients_are_served_alike() -> None:
    outcome = run(MIXES["mixed"], ClosedLoop(24), 480)
    # Lengths differ by a factor of 100, so that equal treatment still gives unequal speeds; one client in 24 with
    # everything would be 0.04.
    assert figures(SERVER, outcome)["fairness over clients"] >= 0.85


def test_urgent_requests_wait_for_nobody() -> None:
    outcome = run(MIXES["priorities"], Poisson(3.0), 300)
    queued = [queue_s(visit) for visit in outcome.visits if visit.kind == "urgent"]
    others = [queue_s(visit) for visit in outcome.visits if visit.kind != "urgent"]
    # A slot is taken from a lower priority at the next step, which lasts the budget and a little.
    assert max(queued) <= 0.300 < max(others)


def test_sequences_give_way_for_cells_seldom() -> None:
    outcome = run(MIXES["mixed"], ClosedLoop(16), 200, configured(4096))
    # Admission leaves room for what runs, so that giving way is the exception; 4,096 cells hold four documents.
    assert outcome.counters.preemptions <= 0.1 * 200
    assert {visit.end for visit in outcome.visits} == {End.ANSWERED}


def queue_s(visit: Visit) -> float:
    assert visit.accepted_s is not None
    return visit.accepted_s - visit.arrived_s
