"""Slots that share the beginning of a prompt, and the several sequences of one request."""

from __future__ import annotations

import pytest

from service.config import EngineConfig
from service.engine.language_model import DecodeFailed
from service.engine.request.events import FinishReason, Piece
from service.engine.request.requests import Overflow
from service.errors import EngineFailure
from service.sampling.settings import SamplingSettings
from tests.support.engine import EngineBench, expected_text, prompt, request

PREFIX = "You are a helpful assistant. "


def test_a_prefix_is_taken_from_a_slot_that_still_runs() -> None:
    bench = EngineBench()
    _, first = bench.submit(request(PREFIX + "one", max_tokens=30))
    bench.step()
    _, second = bench.submit(request(PREFIX + "two"))
    bench.run()
    assert second.accepted.cached_prompt_tokens == len(PREFIX)
    assert second.text == expected_text(PREFIX + "two", 8)
    assert first.text == expected_text(PREFIX + "one", 30)


def test_shared_tokens_take_their_cells_once() -> None:
    bench = EngineBench(EngineConfig(n_slots=4, n_ctx_slot=128))
    for number in range(4):
        bench.complete(request(PREFIX + str(number), slot_id=number, max_tokens=0))
    assert bench.engine.snapshot().kv_cells_used == len(PREFIX) + 4


def test_a_cache_is_not_shared_with_another_salt() -> None:
    bench = EngineBench()
    bench.complete(request(PREFIX, cache_salt="a", slot_id=0))
    assert bench.complete(request(PREFIX, cache_salt="b", slot_id=1)).accepted.cached_prompt_tokens == 0
    assert bench.complete(request(PREFIX, cache_salt="b", slot_id=0)).accepted.cached_prompt_tokens == len(PREFIX) - 1


def test_a_slot_with_another_salt_is_evaluated_anew() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=128))
    bench.complete(request(PREFIX, cache_salt="a"))
    sink = bench.complete(request(PREFIX, cache_salt="b"))
    assert sink.accepted.cached_prompt_tokens == 0
    assert sink.text == expected_text(PREFIX, 8)


def test_a_shift_copies_what_it_shares_and_leaves_the_other_slot_alone() -> None:
    bench = EngineBench(EngineConfig(n_slots=2, n_ctx_slot=32), n_cells=128)
    _, kept = bench.submit(request("p" * 28, max_tokens=3, slot_id=0))
    bench.step()
    _, shifted = bench.submit(request("p" * 28, max_tokens=60, slot_id=1, overflow=Overflow.TRUNCATE))
    bench.run()
    assert shifted.accepted.cached_prompt_tokens == 27
    assert (shifted.finished.tokens_predicted, shifted.finished.truncated) == (60, True)
    assert kept.text == expected_text("p" * 28, 3)
    assert bench.complete(request("p" * 28, slot_id=0, max_tokens=3)).text == kept.text


def test_a_shift_without_cells_for_a_copy_drops_idle_caches() -> None:
    bench = EngineBench(EngineConfig(n_slots=2, n_ctx_slot=32), n_cells=40)
    bench.complete(request("p" * 28, max_tokens=3, slot_id=0))
    sink = bench.complete(request("p" * 28, max_tokens=60, slot_id=1, overflow=Overflow.TRUNCATE))
    assert sink.finished.tokens_predicted == 60


def test_a_shift_that_finds_no_cells_ends_at_the_limit() -> None:
    bench = EngineBench(EngineConfig(n_slots=2, n_ctx_slot=32), n_cells=40)
    _, longer = bench.submit(request("p" * 28, max_tokens=4, slot_id=0))
    bench.step()
    _, sink = bench.submit(request("p" * 28, max_tokens=60, slot_id=1, overflow=Overflow.TRUNCATE))
    while not sink.is_over:
        # Whoever shares the cells goes on for as long as it takes.
        if longer.is_over:
            _, longer = bench.submit(request("p" * 28, max_tokens=4, slot_id=0))
        bench.step()
    assert (sink.finished.reason, sink.finished.truncated) == (FinishReason.LENGTH, True)
    bench.run()


def test_tokens_behind_a_shift_stand_for_nothing() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=32))
    sink = bench.complete(request("hello", max_tokens=40, overflow=Overflow.TRUNCATE, n_keep=3))
    held = bytes(bench.model.memory.tokens(0)).decode()
    assert held.startswith("hel")
    assert sink.finished.truncated
    again = bench.complete(request(held, max_tokens=2))
    assert again.accepted.cached_prompt_tokens == 3
    assert again.text == expected_text(held, 2)


def test_a_memory_that_cannot_be_shared_is_evaluated_anew() -> None:
    bench = EngineBench(can_fork=False)
    bench.complete(request(PREFIX, slot_id=0))
    sink = bench.complete(request(PREFIX, slot_id=1))
    assert sink.accepted.cached_prompt_tokens == 0
    assert sink.text == expected_text(PREFIX, 8)


# Several sequences ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_slots", [1, 2, 4, 8])
def test_all_sequences_are_generated_however_few_slots_there_are(n_slots: int) -> None:
    bench = EngineBench(EngineConfig(n_slots=n_slots, n_ctx_slot=128))
    sink = bench.complete(request(n_sequences=5))
    assert sorted(sink.endings) == list(range(5))
    assert all(sink.text_of(index) == expected_text("hello", 8) for index in range(5))
    assert len([event for event in sink.events if isinstance(event, Piece)]) == 40
    assert sink.accepted.prompt_tokens == 5


def test_the_prompt_is_evaluated_once() -> None:
    bench = EngineBench(EngineConfig(n_slots=4, n_ctx_slot=128))
    sink = bench.complete(request(PREFIX, n_sequences=4))
    prompts = [sink.endings[index].timings.prompt_tokens for index in range(4)]
    assert prompts == [len(PREFIX), 1, 1, 1]


def test_the_prompt_is_evaluated_once_even_without_the_cache() -> None:
    bench = EngineBench(EngineConfig(n_slots=2, n_ctx_slot=128))
    bench.complete(request(PREFIX))
    sink = bench.complete(request(PREFIX, n_sequences=3, cache_prompt=False))
    prompts = [sink.endings[index].timings.prompt_tokens for index in range(3)]
    assert prompts == [len(PREFIX), 1, 1]


def test_sequences_of_one_seed_differ_and_are_reproducible() -> None:
    flat = SamplingSettings(temperature=100.0, top_k=0, top_p=1.0, min_p=0.0, seed=7)
    texts = []
    for _ in range(2):
        sink = EngineBench(EngineConfig(n_slots=3, n_ctx_slot=128)).complete(request(sampling=flat, n_sequences=3))
        assert [sink.endings[index].seed for index in range(3)] == [7, 8, 9]
        texts.append([sink.text_of(index) for index in range(3)])
    assert texts[0] == texts[1]
    assert len(set(texts[0])) == 3


def test_others_pass_sequences_that_wait_for_their_prompt() -> None:
    config = EngineConfig(n_slots=2, n_ctx_slot=128, prefill_budget_ms=1, idle_prefill_budget_ms=1)
    bench = EngineBench(config)
    _, several = bench.submit(request("x" * 100, n_sequences=3))
    _, other = bench.submit(request("other"))
    bench.step()
    assert other.accepted.slot_id == 1
    bench.run()
    assert len(several.endings) == 3
    assert other.text == expected_text("other", 8)


def test_a_request_for_the_prompt_only_ends_all_sequences() -> None:
    endings = EngineBench().complete(request(n_sequences=3, max_tokens=0)).endings
    assert {ending.tokens_predicted for ending in endings.values()} == {0}
    assert len(endings) == 3


@pytest.mark.parametrize("steps", range(8))
def test_cancel_at_any_step_frees_all_sequences(steps: int) -> None:
    bench = EngineBench(EngineConfig(n_slots=2, n_ctx_slot=128))
    task_id, _ = bench.submit(request(n_sequences=5))
    for _ in range(steps):
        bench.step()
    bench.engine.cancel(task_id)
    assert not bench.engine.has_work
    assert bench.complete(request()).text == expected_text("hello", 8)


def test_a_failure_of_one_sequence_fails_the_request_once() -> None:
    bench = EngineBench(EngineConfig(n_slots=2, n_ctx_slot=128))
    _, sink = bench.submit(request(n_sequences=5))
    bench.step()
    bench.step()
    bench.model.compute.fail_next = DecodeFailed("broken")
    bench.run()
    assert isinstance(sink.failed.error, EngineFailure)
    assert bench.complete(request()).text == expected_text("hello", 8)


def test_a_waiting_request_with_several_sequences_counts_once() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=128))
    bench.submit(request())
    bench.step()
    bench.submit(request(n_sequences=5))
    assert bench.engine.queue_depth == 1


def test_the_slot_that_held_the_prompt_gives_it_to_the_next_sequence() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=128))
    bench.complete(request(PREFIX, n_sequences=2))
    evaluated = [len(part.tokens) for batch in bench.model.compute.decoded for part in batch]
    assert sum(evaluated) == len(prompt(PREFIX)) + 7 + 1 + 7
