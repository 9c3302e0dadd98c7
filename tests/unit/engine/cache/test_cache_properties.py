"""Random mixes on engines that move caches about: every answer is the model's, and nothing stays behind."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from service.config import EngineConfig
from service.engine.request.requests import SystemPrompt, SystemPromptRequest
from service.engine.request.snapshots import SlotState
from tests.support.engine import EngineBench
from tests.support.properties import costly
from tests.support.random_mix import ADAPTERS, RandomMix

#: Bytes of a saved token with which 1 MiB holds thousands of prompts, or hardly one.
SMALL, LARGE = 8, 6000


@costly
@given(
    st.integers(0, 2**32), st.integers(1, 5), st.integers(64, 200), st.integers(-200, 40), st.booleans(), st.booleans()
)
def test_caches_move_without_anyone_noticing(
    seed: int, n_slots: int, n_ctx: int, spare: int, can_split: bool, has_adapters: bool
) -> None:
    random_ = random.Random(seed)
    config = EngineConfig(
        n_slots=n_slots,
        n_ctx_slot=n_ctx,
        cache_ram_mib=random_.choice([0, 1, 1, -1]),
        idle_cells=random_.choice([0, 50, 256]),
        prefill_budget_ms=random_.choice([20, 100]),
        idle_prefill_budget_ms=random_.choice([40, 250]),
    )
    bench = EngineBench(
        config,
        n_cells=max(2 * n_ctx, n_slots * n_ctx + spare),
        can_fork=can_split,
        can_cut=can_split or random_.random() < 0.5,
        saved_bytes=random_.choice([SMALL, LARGE]),
        adapters=ADAPTERS if has_adapters else (),
    )
    mix = RandomMix(bench, seed, failures=random_.choice([0.0, 0.02]))
    for _ in range(120):
        mix.step(rate=0.4)
    mix.finish()
    assert all(slot.state is SlotState.IDLE for slot in bench.engine.snapshot().slots)
    assert bench.engine.n_sharing == 0
    bench.complete(SystemPromptRequest(SystemPrompt("x", (1, 2))))
    bench.complete(SystemPromptRequest(SystemPrompt()))
    ledger = bench.engine.dump()
    assert (bench.engine.snapshot().kv_cells_used, ledger.n_slots_indexed) == (0, 0)
    assert (ledger.saved, ledger.n_saved_bytes, ledger.n_saved_indexed) == ((), 0, 0)
