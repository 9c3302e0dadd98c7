"""Prompts on a model whose batches are dear below 64 tokens, as flash attention on a processor is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.config import EngineConfig
from service.engine.schedule.prefill_budget import TILE
from service.testing.scripted_model import ScriptedCompute, ScriptedModel
from tests.support.engine import EngineBench, expected_text, request
from tests.support.random_mix import RandomMix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.engine.language_model import Segment


class TiledCompute(ScriptedCompute):
    """Below a tile, every token costs more the more come before it."""

    def decode(self, segments: Sequence[Segment], n_filler: int = 0) -> None:
        """Evaluate, and take the time."""
        super().decode(segments, n_filler)
        n_tokens = sum(len(part.tokens) for part in segments) + n_filler
        assert self._clock is not None
        seen = sum(part.position * len(part.tokens) for part in segments)
        self._clock.advance(n_tokens * 0.0007 + (0.00001 * seen if n_tokens < TILE else 0.00003 * n_tokens))
        self.batches.append((n_tokens, n_filler))

    batches: list[tuple[int, int]]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> EngineBench:
    """An engine with two slots on such a model."""
    monkeypatch.setattr(ScriptedModel, "compute_type", TiledCompute)
    monkeypatch.setattr(TiledCompute, "batches", [], raising=False)
    return EngineBench(EngineConfig(n_slots=2, n_ctx_slot=2048), step_s=0.0, token_s=0.0)


def batches(bench: EngineBench) -> list[tuple[int, int]]:
    """Tokens of each batch so far, filler included, and filler; forgotten afterwards."""
    assert isinstance(bench.model.compute, TiledCompute)
    seen = bench.model.compute.batches.copy()
    bench.model.compute.batches.clear()
    return seen


def test_a_long_prompt_is_evaluated_in_whole_tiles_beside_a_stream(bench: EngineBench) -> None:
    bench.complete(request("w" * 300, max_tokens=1, cache_prompt=False))
    _, stream = bench.submit(request("s", max_tokens=60))
    for _ in range(5):
        bench.step()
    batches(bench)
    _, long = bench.submit(request("l" * 1500, max_tokens=1))
    while not long.is_over:
        bench.step()
    sizes = [n_tokens for n_tokens, _ in batches(bench)]
    assert min(sizes) >= TILE
    bench.run()
    assert long.text == expected_text("l" * 1500, 1)
    assert stream.text == expected_text("s", 60)


def test_the_next_turn_of_a_conversation_is_filled_up_to_a_tile(bench: EngineBench) -> None:
    history = "h" * 900
    bench.complete(request(history + "a" * 30, max_tokens=1))
    # What a small batch costs behind so much is known after the first one.
    bench.complete(request(history + "b" * 30, max_tokens=1))
    batches(bench)
    answer = bench.complete(request(history + "c" * 30, max_tokens=8))
    assert batches(bench)[0] == (TILE, TILE - 30)
    assert answer.text == expected_text(history + "c" * 30, 8)
    assert answer.accepted.cached_prompt_tokens == 900


def test_filler_takes_no_cells_from_anybody(bench: EngineBench) -> None:
    bench.complete(request("h" * 930, max_tokens=1))
    bench.complete(request("h" * 900 + "b" * 30, max_tokens=1))
    before = bench.model.memory.cells_free
    bench.complete(request("h" * 900 + "c" * 30, max_tokens=1))
    assert bench.model.memory.cells_free >= before - 931


@pytest.mark.parametrize("seed", range(4))
def test_any_mix_on_such_a_model(bench: EngineBench, seed: int) -> None:
    mix = RandomMix(bench, seed)
    for _ in range(150):
        mix.step()
    mix.finish()
    assert mix.n_answered > 10
