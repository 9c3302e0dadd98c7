"""What becomes of caches whose slots are needed, as far as it is not in the transcripts."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from service.config import EngineConfig
from tests.support.engine import EngineBench, request

if TYPE_CHECKING:
    import pytest


def test_self_extend_saves_nothing() -> None:
    assert EngineConfig(group_n=2, group_width=8).cache_ram_bytes == 0
    assert EngineConfig(cache_ram_mib=-1).cache_ram_bytes is None


def test_a_model_that_cannot_cut_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=128, cache_ram_mib=1), can_cut=False, can_fork=False)
    for text in ("l" * 60, "o" * 60, "l" * 60 + "else", "o" * 60 + "else"):
        bench.complete(request(text))
    assert len([record for record in caplog.records if "cannot be split" in record.message]) == 1
