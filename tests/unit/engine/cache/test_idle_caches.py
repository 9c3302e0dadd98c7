"""What becomes of caches whose slots are needed: copied to main memory, and back."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from service.config import EngineConfig
from service.engine.language_model import DecodeFailed, SavedSequence
from service.engine.request.requests import Overflow, SystemPrompt, SystemPromptRequest
from service.testing.scripted_memory import ScriptedMemory
from service.testing.scripted_model import ScriptedModel
from tests.support.engine import EngineBench, expected_text, request

LONG, OTHER = "l" * 60, "o" * 60


def bench_of(
    n_slots: int = 1, n_ctx: int = 128, cache_ram_mib: int = 1, idle_cells: int = 256, **options: Any
) -> EngineBench:
    """An engine with memory for caches."""
    config = EngineConfig(n_slots=n_slots, n_ctx_slot=n_ctx, cache_ram_mib=cache_ram_mib, idle_cells=idle_cells)
    return EngineBench(config, **options)


def evaluated(bench: EngineBench) -> int:
    """Tokens evaluated since the last call."""
    n_tokens = sum(len(part.tokens) for batch in bench.model.compute.decoded for part in batch)
    bench.model.compute.decoded.clear()
    return n_tokens


def test_a_conversation_comes_back_to_a_slot_that_was_taken() -> None:
    bench = bench_of()
    first = bench.complete(request(LONG))
    bench.complete(request(OTHER))
    evaluated(bench)
    again = bench.complete(request(LONG + first.text + "?"))
    assert again.accepted.cached_prompt_tokens == len(LONG) + 7
    assert again.text == expected_text(LONG + first.text + "?", 8)
    assert again.finished.timings.prompt_tokens == 2
    assert evaluated(bench) == 2 + 7
    snapshot = bench.engine.snapshot()
    assert (snapshot.saved_prompts, snapshot.restored_prompts) == (2, 1)
    assert snapshot.saved_bytes == bench.engine.dump().n_saved_bytes > 0


def test_a_part_of_what_was_saved_can_be_used() -> None:
    bench = bench_of()
    bench.complete(request(LONG + "one"))
    bench.complete(request(OTHER))
    sink = bench.complete(request(LONG + "two"))
    assert sink.accepted.cached_prompt_tokens == len(LONG)
    assert sink.text == expected_text(LONG + "two", 8)
    bench.complete(request(OTHER))
    # The whole of the first one is still there.
    assert bench.complete(request(LONG + "one")).accepted.cached_prompt_tokens == len(LONG) + 2


def test_without_memory_it_is_evaluated_anew() -> None:
    bench = bench_of(cache_ram_mib=0)
    bench.complete(request(LONG))
    bench.complete(request(OTHER))
    sink = bench.complete(request(LONG))
    assert sink.accepted.cached_prompt_tokens == 0
    assert sink.text == expected_text(LONG, 8)


def test_a_system_prompt_is_not_saved_with_every_short_conversation() -> None:
    bench = bench_of()
    bench.complete(SystemPromptRequest(SystemPrompt("s" * 60, (1,) * 60)))
    bench.complete(request("short"))
    bench.complete(request("other", cache_salt="x"))
    assert len(bench.engine.dump().saved) == 0


def test_self_extend_saves_nothing() -> None:
    assert EngineConfig(group_n=2, group_width=8).cache_ram_bytes == 0
    assert EngineConfig(cache_ram_mib=-1).cache_ram_bytes is None


def test_salts_do_not_share_what_was_saved() -> None:
    bench = bench_of()
    bench.complete(request(LONG, cache_salt="a"))
    bench.complete(request(OTHER, cache_salt="a"))
    assert bench.complete(request(LONG, cache_salt="b")).accepted.cached_prompt_tokens == 0
    assert bench.complete(request(OTHER, cache_salt="a")).accepted.cached_prompt_tokens == len(OTHER) - 1
    assert bench.complete(request(LONG, cache_salt="a")).accepted.cached_prompt_tokens == len(LONG) - 1


def test_a_request_may_refuse_what_was_saved() -> None:
    bench = bench_of()
    bench.complete(request(LONG))
    bench.complete(request(OTHER))
    assert bench.complete(request(LONG, cache_prompt=False)).accepted.cached_prompt_tokens == 0


def test_short_prompts_are_not_worth_a_copy() -> None:
    bench = bench_of()
    bench.complete(request("short"))
    bench.complete(request("other"))
    assert len(bench.engine.dump().saved) == 0


def test_what_others_hold_is_not_saved_again() -> None:
    bench = bench_of(n_slots=2)
    bench.complete(request(LONG + "one", slot_id=0))
    bench.complete(request(LONG + "two", slot_id=1))
    bench.complete(request(OTHER, slot_id=1))
    assert len(bench.engine.dump().saved) == 0
    bench.complete(request(OTHER + "!", slot_id=0))
    assert len(bench.engine.dump().saved) == 1


def test_a_grown_conversation_replaces_its_beginning() -> None:
    bench = bench_of()
    text = LONG
    for _ in range(3):
        text += bench.complete(request(text)).text
        bench.complete(request(OTHER))
    assert len(bench.engine.dump().saved) == 2


def test_restoring_finds_cells_although_all_are_in_use() -> None:
    bench = bench_of(n_slots=2, n_ctx=80, n_cells=100)
    bench.complete(request(LONG, slot_id=0))
    bench.complete(request(OTHER, slot_id=1))
    sink = bench.complete(request(LONG, slot_id=1))
    assert sink.accepted.cached_prompt_tokens == len(LONG) - 1
    assert bench.complete(request(OTHER, slot_id=0)).accepted.cached_prompt_tokens == len(OTHER) - 1


def test_a_saved_prompt_without_cells_is_evaluated_when_there_are_some() -> None:
    bench = bench_of(n_slots=2, n_ctx=80, n_cells=100)
    bench.complete(request(LONG + "tail", slot_id=0))
    bench.complete(request(OTHER, slot_id=0))
    _, running = bench.submit(request("r" * 30, max_tokens=40, slot_id=1))
    bench.step()
    sink = bench.complete(request(LONG, slot_id=0, max_tokens=2))
    assert sink.text == expected_text(LONG, 2)
    bench.run()
    assert running.text == expected_text("r" * 30, 40)


def test_only_what_is_before_a_shift_is_saved() -> None:
    bench = bench_of(n_ctx=64)
    text = "k" * 40 + "m" * 10
    bench.complete(request(text, max_tokens=30, overflow=Overflow.TRUNCATE, n_keep=40))
    bench.complete(request(OTHER, max_tokens=2))
    sink = bench.complete(request(text, max_tokens=2))
    assert sink.accepted.cached_prompt_tokens == 40
    assert sink.text == expected_text(text, 2)


def test_a_shift_early_in_a_slot_leaves_nothing_to_save() -> None:
    bench = bench_of(n_ctx=64)
    bench.complete(request(LONG, max_tokens=30, overflow=Overflow.TRUNCATE, n_keep=3))
    bench.complete(request(OTHER, max_tokens=2))
    assert len(bench.engine.dump().saved) == 0


class UnsavingMemory(ScriptedMemory):
    """Fails to copy in one or both directions."""

    fails_to_save: type[Exception] | None = None
    fails_to_restore = False

    def save(self, seq_id: int) -> SavedSequence:
        if self.fails_to_save is not None:
            raise self.fails_to_save("cannot be copied")
        return super().save(seq_id)

    def restore(self, seq_id: int, saved: SavedSequence) -> None:
        if self.fails_to_restore:
            raise DecodeFailed("cannot be restored")
        super().restore(seq_id, saved)


def unsaving_bench(monkeypatch: pytest.MonkeyPatch) -> tuple[EngineBench, UnsavingMemory]:
    """An engine on a model that may fail to copy."""
    monkeypatch.setattr(ScriptedModel, "memory_type", UnsavingMemory)
    bench = bench_of()
    assert isinstance(bench.model.memory, UnsavingMemory)
    return bench, bench.model.memory


@pytest.mark.parametrize("failure", [DecodeFailed, MemoryError])
def test_a_cache_that_cannot_be_saved_is_lost_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, failure: type[Exception]
) -> None:
    bench, memory = unsaving_bench(monkeypatch)
    memory.fails_to_save = failure
    bench.complete(request(LONG))
    assert bench.complete(request(OTHER)).text == expected_text(OTHER, 8)
    sink = bench.complete(request(LONG))
    assert sink.accepted.cached_prompt_tokens == 0
    assert sink.text == expected_text(LONG, 8)


def test_a_cache_that_cannot_be_restored_is_dropped_and_evaluated_again(monkeypatch: pytest.MonkeyPatch) -> None:
    bench, memory = unsaving_bench(monkeypatch)
    bench.complete(request(LONG))
    bench.complete(request(OTHER))
    memory.fails_to_restore = True
    sink = bench.complete(request(LONG))
    assert sink.accepted.cached_prompt_tokens == 0
    assert sink.text == expected_text(LONG, 8)
    # What is left is what the slot held in between.
    assert len(bench.engine.dump().saved) == 1


def test_a_model_that_cannot_cut_restores_whole_prompts_only(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bench = bench_of(can_cut=False, can_fork=False)
    first = bench.complete(request(LONG))
    bench.complete(request(OTHER))
    parting = bench.complete(request(LONG + "else"))
    assert parting.accepted.cached_prompt_tokens == 0
    assert parting.text == expected_text(LONG + "else", 8)
    sink = bench.complete(request(LONG + first.text + "?"))
    assert sink.accepted.cached_prompt_tokens == len(LONG) + 7
    assert sink.text == expected_text(LONG + first.text + "?", 8)
    assert len([record for record in caplog.records if "cannot be split" in record.message]) == 1


def test_another_system_prompt_forgets_all_that_was_saved() -> None:
    bench = bench_of()
    bench.complete(request(LONG))
    bench.complete(request(OTHER))
    bench.complete(SystemPromptRequest(SystemPrompt("x", (1,))))
    bench.complete(SystemPromptRequest(SystemPrompt()))
    assert (len(bench.engine.dump().saved), bench.engine.dump().n_saved_bytes) == (0, 0)
    assert bench.model.memory.cells_free == bench.model.info.n_cells


# Idle cells -----------------------------------------------------------------------------------------------------------


def test_idle_caches_beside_a_running_request_move_out_one_per_step() -> None:
    # All three prompts end with the same step, so that nothing runs when they become idle.
    config = EngineConfig(
        n_slots=4, n_ctx_slot=128, cache_ram_mib=1, idle_cells=70, prefill_budget_ms=5000, idle_prefill_budget_ms=5000
    )
    bench = EngineBench(config)
    for slot_id in range(3):
        bench.submit(request(str(slot_id) * 60, slot_id=slot_id, max_tokens=1))
    bench.run()
    assert bench.engine.snapshot().kv_cells_used == 180
    bench.submit(request("running", slot_id=3, max_tokens=20))
    held = []
    for _ in range(4):
        bench.step()
        held.append([slot.cached_tokens for slot in bench.engine.snapshot().slots[:3]])
    assert held == [[0, 60, 60], [0, 0, 60], [0, 0, 60], [0, 0, 60]]
    bench.run()
    assert bench.complete(request("0" * 60 + "?")).accepted.cached_prompt_tokens == 60


def test_idle_caches_stay_if_there_is_no_memory_for_them() -> None:
    bench = bench_of(n_slots=2, idle_cells=10, cache_ram_mib=0)
    bench.complete(request(LONG, slot_id=0))
    bench.complete(request(OTHER, slot_id=1))
    assert bench.engine.snapshot().slots[0].cached_tokens == 67


def test_idle_caches_that_share_their_cells_with_a_running_request_stay() -> None:
    bench = bench_of(n_slots=2, idle_cells=10)
    bench.complete(request(LONG, slot_id=0, max_tokens=1))
    bench.complete(request(LONG + "more", slot_id=1))
    assert bench.engine.snapshot().slots[0].cached_tokens == 60


def test_a_copy_that_would_be_felt_waits_until_nobody_decodes() -> None:
    config = EngineConfig(n_slots=2, n_ctx_slot=128, cache_ram_mib=9, idle_cells=10, prefill_budget_ms=0.1)
    bench = EngineBench(config, saved_bytes=20_000)
    # The size of a copy is known from those before.
    bench.complete(request("f" * 60, slot_id=0, max_tokens=1))
    bench.complete(request("g", slot_id=0, max_tokens=1))
    _, running = bench.submit(request("p", slot_id=1, max_tokens=60))
    _, ended = bench.submit(request(LONG, slot_id=0, max_tokens=1))
    while not ended.is_over:
        bench.step()
    assert not running.is_over
    while not running.is_over:
        bench.step()
        assert bench.engine.snapshot().slots[0].cached_tokens == 60
    bench.submit(request("q" * 40, slot_id=1, max_tokens=5))
    bench.step()
    assert bench.engine.snapshot().slots[0].cached_tokens == 0
    bench.run()
