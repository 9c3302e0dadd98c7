"""The life of a sequence: only the moves that are drawn, one end, and counters that agree with both."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.config import EngineConfig, Lookup
from service.engine.request.sequence import SequenceLife
from service.engine.request.snapshots import Outcome, SlotState
from service.engine.request.state import NEXT, ForbiddenMove, SequenceState
from service.engine.request.task import Task
from service.errors import EngineFailure
from service.sampling.gbnf import GbnfGuide
from tests.support.engine import EngineBench, RecordingSink, expected_text, request
from tests.support.random_mix import RandomMix

WAITING, SHARING, PREFILL, DECODING, PREEMPTED, FINISHED = SequenceState
#: The drawing in ``state``, arrow by arrow.
DRAWN = {
    (WAITING, SHARING),
    (SHARING, WAITING),
    (WAITING, PREFILL),
    (PREFILL, DECODING),
    (PREFILL, PREEMPTED),
    (DECODING, PREEMPTED),
    (PREEMPTED, PREFILL),
    (PREEMPTED, DECODING),
    *((state, FINISHED) for state in SequenceState if state is not FINISHED),
}


class Lives:
    """Writes down the life of every sequence of an engine, and checks that no state changes otherwise."""

    def __init__(self, bench: EngineBench) -> None:
        self.of: dict[SequenceLife, list[SequenceState]] = {}
        bench.engine.listen(self._note)

    def _note(self, life: SequenceLife, before: SequenceState) -> None:
        states = self.of.setdefault(life, [WAITING])
        assert states[-1] is before
        states.append(life.state)

    def moves(self) -> Counter[tuple[SequenceState, SequenceState]]:
        """How often each move was made."""
        return Counter(move for states in self.of.values() for move in pairwise(states))

    def in_state(self, state: SequenceState) -> int:
        """Sequences that are in a state now."""
        return sum(life.state is state for life in self.of)

    def assert_agree_with(self, bench: EngineBench) -> None:
        """What the engine shows is what the states say."""
        snapshot = bench.engine.snapshot()
        shown = Counter(slot.state for slot in snapshot.slots)
        assert (shown[SlotState.PREFILL], shown[SlotState.DECODE]) == (self.in_state(PREFILL), self.in_state(DECODING))
        assert all(life.state is states[-1] for life, states in self.of.items())
        assert snapshot.counters.preemptions == sum(count for (_, to), count in self.moves().items() if to is PREEMPTED)
        began = [states for states in self.of.values() if states[-1] is FINISHED and PREFILL in states]
        assert snapshot.counters.finished == len(began)

    def assert_over(self, bench: EngineBench) -> None:
        """Every sequence has ended once, and every request was counted once."""
        for life, states in self.of.items():
            assert states[-1] is FINISHED
            assert states.count(FINISHED) == 1
            assert life.outcome is not None
            assert (life.running, life.swapped_out) == (None, None)
        assert set(self.moves()) <= DRAWN
        tasks = {life.task for life in self.of}
        assert all(task.n_open == 0 for task in tasks)
        assert sum(bench.engine.snapshot().counters.requests) == len(tasks)


def life_in(state: SequenceState, moves: list[SequenceState]) -> SequenceLife:
    """A life in a state, which writes its moves down."""
    task = Task(7, request(), RecordingSink(), arrived_s=0.0, n_open=2)
    return SequenceLife(task, 1, listeners=[lambda life, before: moves.append(before)], state=state)


def test_the_table_has_the_moves_that_are_drawn() -> None:
    assert {(before, to) for before, following in NEXT.items() for to in following} == DRAWN


@pytest.mark.parametrize("to", SequenceState)
@pytest.mark.parametrize("state", SequenceState)
def test_only_the_moves_of_the_table_are_made(state: SequenceState, to: SequenceState) -> None:
    moves: list[SequenceState] = []
    life = life_in(state, moves)
    if (state, to) in DRAWN:
        life.move(to)
        assert (life.state, moves) == (to, [state])
        return
    with pytest.raises(ForbiddenMove) as refusal:
        life.move(to)
    assert str(refusal.value) == f"sequence 1 of task 7 cannot move from {state.name} to {to.name}"
    assert (life.state, moves) == (state, [])


def test_a_sequence_cannot_end_twice() -> None:
    moves: list[SequenceState] = []
    life = life_in(DECODING, moves)
    life.finish(Outcome.STOP)
    with pytest.raises(ForbiddenMove):
        life.finish(Outcome.FAILED)
    assert (life.outcome, life.task.n_open, moves) == (Outcome.STOP, 1, [DECODING])


def run(bench: EngineBench, mix: RandomMix, n_steps: int) -> Lives:
    """Some random steps, then whatever is left."""
    lives = Lives(bench)
    for _ in range(n_steps):
        mix.step(rate=0.4)
        lives.assert_agree_with(bench)
    mix.finish()
    lives.assert_over(bench)
    return lives


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(32, 100), st.booleans())
def test_whatever_comes_every_sequence_lives_as_drawn(seed: int, n_slots: int, n_ctx: int, is_tight: bool) -> None:
    random_ = random.Random(seed)
    config = EngineConfig(n_slots=n_slots, n_ctx_slot=n_ctx, lookup=random_.choice([*Lookup, Lookup.OFF]))
    n_cells = 2 * n_ctx if is_tight else n_slots * n_ctx + n_ctx
    bench = EngineBench(config, n_cells=n_cells, can_fork=random_.random() < 0.8)
    run(bench, RandomMix(bench, seed, failures=random_.choice([0.0, 0.05])), 80)


def test_every_move_that_is_drawn_is_made() -> None:
    made: Counter[tuple[SequenceState, SequenceState]] = Counter()
    for seed in range(6):
        # Few slots, so that higher priorities take them, and prompts of several steps.
        config = EngineConfig(n_slots=1 + seed % 3, n_ctx_slot=100, n_batch=24)
        bench = EngineBench(config, n_cells=200)
        made += run(bench, RandomMix(bench, seed, failures=0.02), 400).moves()
    assert set(made) == DRAWN


@pytest.mark.parametrize("way", ["stop", "fail_all"])
def test_the_end_of_the_engine_ends_every_sequence(way: str) -> None:
    bench = EngineBench(EngineConfig(n_slots=2, n_ctx_slot=128))
    lives = Lives(bench)
    shared = "a beginning that is long enough for others to wait until it is evaluated, "
    bench.submit(request("decodes", max_tokens=50))
    bench.step()
    bench.submit(request(shared + "0", max_tokens=50, priority=1, n_sequences=3))
    bench.submit(request(shared + "1", max_tokens=50))
    bench.submit(request("goes first", max_tokens=50, priority=2))
    bench.step()
    bench.step()
    assert {DECODING, PREEMPTED} <= {life.state for life in lives.of}
    deliveries = bench.engine.stop() if way == "stop" else bench.engine.fail_all(EngineFailure("as planned"))
    assert len(deliveries) == 4
    assert not bench.engine.has_work
    assert all(life.state is FINISHED for life in lives.of)
    assert set(lives.moves()) <= DRAWN
    outcomes = {life.outcome for life in lives.of}
    assert outcomes == ({Outcome.CANCELLED, Outcome.FAILED} if way == "stop" else {Outcome.FAILED})


def test_a_forbidden_move_fails_its_request_and_no_other() -> None:
    bench = EngineBench()

    def move_wrongly(life: SequenceLife, before: SequenceState) -> None:
        if before is WAITING and life.task.id == 2:
            life.move(SHARING)

    bench.engine.listen(move_wrongly)
    _, good = bench.submit(request("good", max_tokens=20))
    _, bad = bench.submit(request("bad", max_tokens=20, guide=GbnfGuide('root ::= "yes"')))
    bench.run()
    assert good.text == expected_text("good", 20)
    assert bad.failed.error.reason == "INTERNAL"
    assert dict(zip(Outcome, bench.engine.snapshot().counters.requests, strict=True))[Outcome.FAILED] == 1
    assert bench.complete(request("later")).text == expected_text("later", 8)
