"""Anything on a model whose batches are dear below 64 tokens; prompts there are in the transcripts."""

from __future__ import annotations

import pytest

from service.config import EngineConfig
from tests.support.engine import EngineBench
from tests.support.random_mix import RandomMix
from tests.support.tiled_model import TiledModel


@pytest.mark.parametrize("seed", range(4))
def test_any_mix_on_such_a_model(seed: int) -> None:
    config = EngineConfig(n_slots=2, n_ctx_slot=2048)
    mix = RandomMix(EngineBench(config, model_class=TiledModel, step_s=0.0, token_s=0.0), seed)
    for _ in range(150):
        mix.step()
    mix.finish()
    assert mix.n_answered > 10
