"""An hour of everything at once, in virtual time: nothing is lost, nothing grows."""

from __future__ import annotations

import gc
import logging
import sys
from typing import TYPE_CHECKING

from service.config import EngineConfig
from tests.support.engine import EngineBench
from tests.support.properties import N_EXAMPLES
from tests.support.random_mix import RandomMix

if TYPE_CHECKING:
    import pytest

#: With ten times the usual number of examples, ten hours.
HOURS = N_EXAMPLES / 200
N_PARTS = 4
#: Memory blocks that may be in use more than after the first part, in which caches of the interpreter fill.
TOLERATED_BLOCKS = 500


def test_hours_of_random_requests_leak_neither_slots_nor_cells_nor_memory(caplog: pytest.LogCaptureFixture) -> None:
    # The records of planned failures, which pytest keeps, would count as in use.
    caplog.set_level(logging.CRITICAL, logger="service")
    # As slow as a model of some billion parameters on a processor.
    # Memory for a few saved prompts.
    config = EngineConfig(n_slots=4, n_ctx_slot=64, cache_ram_mib=1, idle_cells=64)
    bench = EngineBench(config, n_cells=220, step_s=0.05, token_s=0.03, saved_bytes=4000)
    mix = RandomMix(bench, seed=1, failures=0.001)
    in_use: list[int] = []
    for part in range(1, N_PARTS + 1):
        while bench.clock() < part * HOURS * 3600 / N_PARTS:
            mix.step(rate=0.2)
            bench.model.compute.decoded.clear()
        mix.finish()
        bench.model.compute.decoded.clear()
        gc.collect()
        in_use.append(sys.getallocatedblocks())
    assert mix.n_answered > 2500 * HOURS
    assert max(in_use[1:]) - in_use[0] < TOLERATED_BLOCKS, in_use
