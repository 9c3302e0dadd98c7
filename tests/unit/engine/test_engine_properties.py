"""Random mixes of everything: nothing leaks, nobody is disturbed, every answer is the model's."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.config import EngineConfig
from service.engine.request.snapshots import SlotState
from tests.support.engine import EngineBench
from tests.support.properties import costly
from tests.support.random_mix import RandomMix


@costly
@given(st.integers(0, 2**32), st.integers(1, 4), st.integers(16, 64), st.integers(-40, 40), st.booleans())
def test_random_requests_and_cancels_leave_nothing_behind(
    seed: int, n_slots: int, n_ctx: int, spare: int, can_fork: bool
) -> None:
    random_ = random.Random(seed)
    config = EngineConfig(
        n_slots=n_slots,
        n_ctx_slot=n_ctx,
        n_batch=random_.choice([1, 7, 64, 512]),
        group_n=random_.choice([1, 1, 2, 4]),
        group_width=8,
    )
    n_cells = max(2 * n_ctx, n_slots * n_ctx + spare)
    bench = EngineBench(config, n_cells=n_cells, n_batch=512, can_fork=can_fork)
    mix = RandomMix(bench, seed, failures=random_.choice([0.0, 0.02]))
    for _ in range(100):
        mix.step()
    mix.finish()
    snapshot = bench.engine.snapshot()
    assert all(slot.state is SlotState.IDLE for slot in snapshot.slots)
    assert snapshot.queue_depth == 0
    n_system = 0 if snapshot.system_prompt is None else len(snapshot.system_prompt.tokens)
    held = sum(n_system + slot.cached_tokens for slot in snapshot.slots)
    assert snapshot.kv_cells_used <= held + n_system


@pytest.mark.parametrize("seed", range(8))
def test_any_mix_on_cells_that_slots_compete_for(seed: int) -> None:
    mix = RandomMix(EngineBench(EngineConfig(n_slots=4, n_ctx_slot=60), n_cells=64 + seed * 16), seed)
    for _ in range(400):
        mix.step()
    mix.finish()
    assert mix.n_answered > 20
