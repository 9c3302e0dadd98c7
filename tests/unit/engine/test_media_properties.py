"""Random mixes with pictures: what slots hold is what the model holds, and every answer is the model's.

``EngineBench.check`` compares the two after every step.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.config import EngineConfig
from service.engine.request.requests import SystemPrompt, SystemPromptRequest
from service.engine.request.snapshots import SlotState
from service.testing.scripted_media import media_chunk
from tests.support.engine import POOLINGS, EngineBench
from tests.support.pictures import WIDTH
from tests.support.properties import costly
from tests.support.random_mix import RandomMix

KINDS = ["causal", "whole", "both", "grid"]
#: Bytes of a saved item with which 1 MiB holds thousands of prompts, or hardly one.
SMALL, LARGE = 8, 6000


def mix_of(kind: str, seed: int, config: EngineConfig, *, failures: float = 0.0, **options: object) -> RandomMix:
    """A mix on a model that takes pictures of a kind."""
    defaults: dict[str, object] = {"n_embd_input": WIDTH, "n_whole": 32, "has_grid": kind == "grid", "n_batch": 512}
    bench = EngineBench(config, **(defaults | options))  # type: ignore[arg-type]
    pictures = [
        media_chunk(
            content,
            n_rows,
            width=WIDTH,
            n_positions=max(1, n_rows // 3) if kind == "grid" else None,
            is_causal=kind in ("causal", "grid") or (kind == "both" and content == "b"),
        )
        for content, n_rows in (("a", 1), ("b", 5), ("c", 12))
    ]
    return RandomMix(bench, seed, failures=failures, pictures=pictures)


@costly
@given(st.integers(0, 2**32), st.sampled_from(KINDS), st.integers(1, 4), st.integers(40, 120), st.integers(-100, 40))
def test_any_mix_with_pictures_leaves_nothing_behind(
    seed: int, kind: str, n_slots: int, n_ctx: int, spare: int
) -> None:
    random_ = random.Random(seed)
    config = EngineConfig(
        n_slots=n_slots,
        n_ctx_slot=n_ctx,
        n_batch=random_.choice([12, 64, 512]),
        cache_ram_mib=random_.choice([0, 1, 1, -1]),
        idle_cells=random_.choice([0, 50, 256]),
        prefill_budget_ms=random_.choice([20, 100]),
        idle_prefill_budget_ms=random_.choice([40, 250]),
    )
    mix = mix_of(
        kind,
        seed,
        config,
        failures=random_.choice([0.0, 0.02]),
        n_cells=max(2 * n_ctx, n_slots * n_ctx + spare),
        can_fork=random_.random() < 0.8,
        can_cut=random_.random() < 0.8,
        can_shift=random_.random() < 0.8,
        pooling=random_.choice(POOLINGS),
        saved_bytes=random_.choice([SMALL, LARGE]),
        n_hidden=random_.choice([12, 64]),
    )
    for _ in range(120):
        mix.step(rate=0.4)
    mix.finish()
    bench = mix.bench
    assert all(slot.state is SlotState.IDLE for slot in bench.engine.snapshot().slots)
    assert bench.engine.n_sharing == 0
    bench.complete(SystemPromptRequest(SystemPrompt("x", (1, 2))))
    bench.complete(SystemPromptRequest(SystemPrompt()))
    snapshot, ledger = bench.engine.snapshot(), bench.engine.dump()
    assert (snapshot.kv_cells_used, ledger.n_slots_indexed, ledger.saved) == (0, 0, ())
    assert (snapshot.prompt_tokens_outstanding, snapshot.output_tokens_outstanding) == (0, 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_any_mix_with_pictures_on_cells_that_slots_compete_for(kind: str, seed: int) -> None:
    config = EngineConfig(n_slots=4, n_ctx_slot=80)
    mix = mix_of(kind, seed, config, n_cells=100 + seed * 32)
    for _ in range(400):
        mix.step()
    mix.finish()
    assert mix.n_answered > 20
