"""What a step costs on llama.cpp: calls of its library, and arrays as large as the vocabulary."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from service.config import EngineConfig, ModelConfig
from service.llama.llama_model import LlamaModel
from service.llama.loader import load
from service.sampling.settings import SamplingSettings
from service.testing.scripted_model import VirtualClock
from slotline.cli.default_model import default_model_path
from tests.counts.arrays import counted_arrays
from tests.counts.calls import CallCounter
from tests.counts.decoding import N_STREAMS, decoding_engine
from tests.counts.library_calls import counted_library
from tests.counts.table import ROOM, Figure, check
from tests.support.engine import SteppedEngine

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

TABLE = Path(__file__).parent / "figures" / "library.txt"
#: Steps that are counted: few, because the model takes its time.
N_STEPS = 2
N_CTX_SLOT = 128
#: No stream ends by itself, whatever this machine's kernels make of it.
SAMPLINGS = {
    "greedy": SamplingSettings(temperature=0.0, repeat_penalty=1.0, ignore_eos=True),
    "default samplers": SamplingSettings(seed=1, ignore_eos=True),
}


@pytest.fixture(scope="module")
def loaded() -> Iterator[tuple[LlamaModel, Counter[str]]]:
    """The default model, and its calls of the library."""
    n_slots = max(N_STREAMS)
    config = ModelConfig(str(default_model_path()), n_ctx=n_slots * N_CTX_SLOT, n_parallel=n_slots, n_threads=1)
    with counted_library() as count, load(config) as model:
        assert isinstance(model, LlamaModel)
        yield model, count


@pytest.mark.parametrize("n_streams", N_STREAMS)
def test_a_step_on_the_library_costs_no_more_than_is_written(
    loaded: tuple[LlamaModel, Counter[str]], n_streams: int, is_rewriting: bool
) -> None:
    model, count = loaded
    figures: dict[str, Figure] = {}
    for kind, sampling in SAMPLINGS.items():
        _empty(model)
        engine = decoding_engine(_bench(model, n_streams), n_streams, sampling)
        count.clear()
        with counted_arrays(min_bytes=model.info.n_vocab) as arrays:
            for _ in range(N_STEPS):
                engine.step()
        of_library = count.copy()
        calls = CallCounter()
        calls.run(engine.step, N_STEPS)
        figures |= {f"{name}, {kind}": Figure(n / N_STEPS) for name, n in sorted(of_library.items())}
        figures |= {
            f"model-sized arrays, {kind}": Figure(arrays.n_arrays / N_STEPS),
            f"bytes of them, {kind}": Figure(arrays.n_bytes / N_STEPS, ROOM),
            f"Python calls, {kind}": Figure(calls.n_python / N_STEPS, ROOM),
            f"C calls, {kind}": Figure(calls.n_c / N_STEPS, ROOM),
        }
    check(TABLE, str(n_streams), figures, is_rewriting=is_rewriting)


def _bench(model: LlamaModel, n_streams: int) -> SteppedEngine:
    return SteppedEngine(model, EngineConfig(n_slots=n_streams, n_ctx_slot=N_CTX_SLOT), VirtualClock())


def _empty(model: LlamaModel) -> None:
    """Forget what the engine before has left."""
    for seq_id in range(model.info.n_seq_max):
        model.memory.remove(seq_id, 0, -1)
