"""The model of simulations: it counts cells as the scripted model does that keeps them, and lets time pass."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.simulation.model import SimulatedModel
from bench.simulation.profile import CostProfile
from bench.simulation.spans import SpanMemory
from service.config import EngineConfig, Lookup
from service.engine.engine import Engine
from service.engine.language_model import CacheFull, Segment
from service.engine.request.events import Event, Piece
from service.engine.request.requests import GenerationRequest
from service.sampling.settings import SamplingSettings
from service.testing.scripted_memory import ScriptedMemory
from service.testing.scripted_model import VirtualClock

N_SEQUENCES = 4
PROFILE = CostProfile(((1, 0.010), (101, 0.110)), 0.0, (0.0, 0.0), (0.001, 0.001), 0.001, 10)


def simulated(n_cells: int = 100) -> tuple[SimulatedModel, VirtualClock]:
    clock = VirtualClock()
    return SimulatedModel(n_cells, N_SEQUENCES, PROFILE, clock), clock


@given(seed=st.integers(0, 2**32), n_changes=st.integers(1, 60))
def test_spans_hold_and_share_as_many_cells_as_a_memory_of_single_cells(seed: int, n_changes: int) -> None:
    rng = random.Random(seed)
    spans, cells = SpanMemory(1000, N_SEQUENCES), ScriptedMemory(1000, N_SEQUENCES)
    for _ in range(n_changes):
        seq_id, other = rng.sample(range(N_SEQUENCES), 2)
        length = spans.length(seq_id)
        match rng.randrange(4):
            case 0:
                n_tokens = rng.randint(1, 9)
                spans.append(seq_id, n_tokens)
                cells.append(seq_id, length, [0] * n_tokens)
            case 1:
                start = rng.randint(0, length)
                spans.cut(seq_id, start)
                cells.remove(seq_id, start, length)
            case 2 if length and not spans.length(other):
                end = rng.randint(1, length)
                spans.fork(seq_id, other, end)
                cells.fork(seq_id, other, end)
            case 3:
                spans.unshare(seq_id)
                cells.unshare(seq_id)
        assert spans.free == cells.cells_free
        for each in range(N_SEQUENCES):
            assert spans.length(each) == len(cells.cells(each))
            assert spans.count_shared(each) == sum(cell.holders > 1 for cell in cells.cells(each))


def test_steps_and_copies_take_the_profiles_time() -> None:
    model, clock = simulated()
    model.compute.decode([Segment(0, 0, [1] * 40, 0), Segment(1, 0, [1] * 10, 1)])
    # 50 tokens, which attend to 1 + ... + 40 and to 1 + ... + 10 cells.
    step_s = 0.059 + 0.820 + 0.055
    assert clock.now_s == pytest.approx(step_s)
    saved = model.memory.save(0)
    model.memory.remove(0, 0, -1)
    model.memory.restore(2, saved)
    assert clock.now_s == pytest.approx(step_s + 2 * 0.040)
    assert (saved.n_cells, saved.n_bytes, model.memory.cells_free) == (40, 400, 50)


def test_what_does_not_fit_changes_nothing() -> None:
    model, clock = simulated(n_cells=10)
    with pytest.raises(CacheFull):
        model.compute.decode([Segment(0, 0, [1] * 11, 1)])
    assert (model.memory.cells_free, model.memory.position_max(0), clock.now_s) == (10, -1, 0.0)


@pytest.mark.parametrize("lookup", Lookup, ids=lambda when: when.value)
def test_the_engine_gets_the_answer_that_clients_expect(lookup: Lookup) -> None:
    model, clock = simulated()
    engine = Engine(model, EngineConfig(n_ctx_slot=100, lookup=lookup), clock)
    sink = _Sink()
    greedy = SamplingSettings(temperature=0.0, repeat_penalty=1.0)
    prompt = (*b"question", *model.answer(8, 6))
    engine.submit(0, GenerationRequest(prompt, sampling=greedy, max_tokens=20), sink)
    while engine.has_work:
        for _, events in engine.step():
            sink.put(events)
    assert sink.text == bytes(model.answer(len(prompt), 20)).decode()


class _Sink:
    def __init__(self) -> None:
        self.text = ""

    def put(self, events: list[Event]) -> None:
        self.text += "".join(event.text for event in events if isinstance(event, Piece))
