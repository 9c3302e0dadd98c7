"""What a step of the engine costs, in calls, whatever the model."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.config import EngineConfig
from service.sampling.settings import SamplingSettings
from tests.counts.calls import CallCounter
from tests.counts.decoding import N_STREAMS, decoding_engine
from tests.counts.table import ROOM, Figure, check
from tests.support.engine import GREEDY, EngineBench

TABLE = Path(__file__).parent / "figures" / "engine.txt"
#: Steps that are counted: what happens in one of a few has its share.
N_STEPS = 16


@pytest.mark.parametrize("n_streams", N_STREAMS)
def test_a_step_calls_no_more_than_is_written(n_streams: int, is_rewriting: bool) -> None:
    figures: dict[str, Figure] = {}
    for kind, sampling in (("greedy", GREEDY), ("default samplers", SamplingSettings(seed=1))):
        engine = decoding_engine(_bench(n_streams), n_streams, sampling)
        calls = CallCounter(model="service/testing")
        calls.run(engine.step, N_STEPS)
        figures |= {
            f"Python calls, {kind}": Figure(calls.n_python / N_STEPS, ROOM),
            f"C calls, {kind}": Figure(calls.n_c / N_STEPS, ROOM),
        }
        of_model = {f"calls of {name}": Figure(n / N_STEPS) for name, n in calls.of_model.items()}
    figures |= of_model
    deliveries = engine.step()
    figures["deliveries"] = Figure(len(deliveries))
    figures["events"] = Figure(sum(len(events) for _, events in deliveries))
    check(TABLE, str(n_streams), figures, is_rewriting=is_rewriting)


def _bench(n_streams: int) -> EngineBench:
    return EngineBench(EngineConfig(n_slots=n_streams, n_ctx_slot=128))
