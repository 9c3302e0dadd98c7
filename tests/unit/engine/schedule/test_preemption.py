"""Sequences that give way: for cells, and for higher priorities."""

from __future__ import annotations

import pytest

from service.config import EngineConfig
from service.engine.language_model import DecodeFailed, SavedSequence
from service.engine.request.events import FinishReason, Piece
from service.engine.request.requests import EmbeddingRequest
from service.engine.request.snapshots import SlotState
from service.errors import EngineFailure
from service.testing.scripted_memory import ScriptedMemory
from service.testing.scripted_model import ScriptedModel
from tests.support.engine import EngineBench, RecordingSink, expected_text, prompt, request
from tests.support.random_mix import RandomMix

#: Two slots, each of which may take nearly all cells.
SHARED = EngineConfig(n_slots=2, n_ctx_slot=120)


def step_until_preempted(bench: EngineBench) -> None:
    """Step until a request that ran waits."""
    bench.step()
    while not bench.engine.queue_depth:
        assert bench.engine.has_work
        bench.step()


def texts(sink: RecordingSink) -> list[str]:
    """The texts of the pieces."""
    return [event.text for event in sink.events if isinstance(event, Piece)]


# Cells ----------------------------------------------------------------------------------------------------------------


def test_when_cells_run_out_the_youngest_request_waits_and_loses_nothing() -> None:
    bench = EngineBench(SHARED, n_cells=120)
    _, old = bench.submit(request("a" * 10, max_tokens=60))
    bench.step()
    _, young = bench.submit(request("b" * 10, max_tokens=60))
    step_until_preempted(bench)
    told = texts(young)
    assert 0 < len(told) < 60
    assert [slot.state for slot in bench.engine.snapshot().slots] == [SlotState.DECODE, SlotState.IDLE]
    bench.step()
    assert texts(young) == told
    bench.run()
    assert (old.text, young.text) == (expected_text("a" * 10, 60), expected_text("b" * 10, 60))
    assert young.finished.reason is FinishReason.LENGTH
    assert (young.finished.tokens_predicted, young.finished.tokens_evaluated) == (60, 10)
    assert old.finished.slot_id == 0


def test_what_a_preempted_request_leaves_in_memory_is_for_its_own_salt() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=120))
    bench.submit(request("b" * 40, cache_salt="yours"))
    bench.step()
    bench.submit(request("a" * 40, cache_salt="mine", priority=1))
    bench.step()
    assert bench.engine.snapshot().saved_prompts == 1
    bench.run()
    assert bench.complete(request("b" * 40, cache_salt="mine")).accepted.cached_prompt_tokens == 0
    assert bench.complete(request("b" * 40, cache_salt="yours")).accepted.cached_prompt_tokens >= 32


def test_a_preempted_request_goes_on_in_any_slot() -> None:
    bench = EngineBench(EngineConfig(n_slots=3, n_ctx_slot=120), n_cells=120)
    _, short = bench.submit(request("s", max_tokens=20))
    _, old = bench.submit(request("a" * 10, max_tokens=70))
    bench.step()
    _, young = bench.submit(request("b" * 10, max_tokens=60))
    bench.run()
    for sink, text, length in ((short, "s", 20), (old, "a" * 10, 70), (young, "b" * 10, 60)):
        assert sink.text == expected_text(text, length)


def test_a_prompt_that_is_being_evaluated_goes_on_where_it_was() -> None:
    bench = EngineBench(
        EngineConfig(n_slots=2, n_ctx_slot=120, prefill_budget_ms=1, idle_prefill_budget_ms=1), n_cells=120
    )
    _, urgent_before = bench.submit(request("a" * 5, max_tokens=100))
    while not urgent_before.text:
        bench.step()
    bench.submit(request("b" * 60, max_tokens=2, priority=-1))
    bench.run()
    evaluated = sum(len(part.tokens) for parts in bench.model.compute.decoded for part in parts if part.seq_id == 1)
    assert evaluated <= 62


def test_nothing_starts_that_would_have_to_give_way_at_once() -> None:
    bench = EngineBench(SHARED, n_cells=120)
    _, old = bench.submit(request("a" * 60, max_tokens=20))
    bench.step()
    _, young = bench.submit(request("b" * 60, max_tokens=20))
    bench.step()
    assert bench.engine.queue_depth == 1
    assert young.events == []
    bench.run()
    assert (old.text, young.text) == (expected_text("a" * 60, 20), expected_text("b" * 60, 20))


def test_what_waits_longer_than_its_turn_is_not_passed_by_shorter_prompts() -> None:
    bench = EngineBench(SHARED, n_cells=120)
    _, old = bench.submit(request("a" * 60, max_tokens=20))
    bench.step()
    _, long = bench.submit(request("b" * 60))
    _, short = bench.submit(request("c"))
    while not old.is_over:
        bench.step()
    assert short.events == []
    bench.run()
    assert (long.text, short.text) == (expected_text("b" * 60, 8), expected_text("c", 8))


def test_a_cancelled_preempted_request_leaves_nothing_behind() -> None:
    bench = EngineBench(SHARED, n_cells=120)
    bench.submit(request("a" * 10, max_tokens=60))
    bench.step()
    task_id, young = bench.submit(request("b" * 10, max_tokens=60, grammar=f'root ::= "{"b" * 60}"'))
    step_until_preempted(bench)
    assert bench.model.vocabulary.open_grammars == 1
    bench.engine.cancel(task_id)
    assert bench.model.vocabulary.open_grammars == 0
    bench.run()
    assert not young.is_over


def test_a_stop_refuses_what_was_preempted() -> None:
    bench = EngineBench(SHARED, n_cells=120)
    bench.submit(request("a" * 10, max_tokens=60))
    bench.step()
    _, young = bench.submit(request("b" * 10, max_tokens=60))
    step_until_preempted(bench)
    for sink, events in bench.engine.stop():
        assert isinstance(sink, RecordingSink)
        sink.put(events)
    assert young.failed.error.reason == "DRAINING"


class _Unsavable(ScriptedMemory):
    def save(self, seq_id: int) -> SavedSequence:
        raise DecodeFailed(f"no copy of {seq_id}")


class _Unrestorable(ScriptedMemory):
    def restore(self, seq_id: int, saved: SavedSequence) -> None:
        raise DecodeFailed(f"{saved.n_cells} tokens for {seq_id} are gone")


def test_a_sequence_that_cannot_be_copied_ends_for_lack_of_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ScriptedModel, "memory_type", _Unsavable)
    bench = EngineBench(SHARED, n_cells=120)
    _, old = bench.submit(request("a" * 10, max_tokens=60))
    bench.step()
    _, young = bench.submit(request("b" * 10, max_tokens=60))
    bench.run()
    assert old.text == expected_text("a" * 10, 60)
    assert young.failed.error.reason == "KV_CACHE_EXHAUSTED"


def test_a_sequence_that_cannot_be_restored_ends_and_nobody_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ScriptedModel, "memory_type", _Unrestorable)
    bench = EngineBench(SHARED, n_cells=120)
    _, old = bench.submit(request("a" * 10, max_tokens=60))
    bench.step()
    _, young = bench.submit(request("b" * 10, max_tokens=60, grammar=f'root ::= "{"b" * 60}"'))
    bench.run()
    assert old.text == expected_text("a" * 10, 60)
    assert isinstance(young.failed.error, EngineFailure)


# Priorities -----------------------------------------------------------------------------------------------------------


def test_higher_priorities_start_first_and_equals_in_order() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=64))
    bench.submit(request("running", priority=9))
    bench.step()
    sinks = {}
    for name, priority in (("low", -1), ("first", 0), ("second", 0), ("high", 5)):
        sinks[name] = bench.submit(request(name, priority=priority))[1]
    order: list[str] = []
    while bench.engine.has_work:
        bench.step()
        order += [name for name, sink in sinks.items() if sink.is_over and name not in order]
    assert order == ["high", "first", "second", "low"]


def test_a_higher_priority_takes_the_slot_of_the_lowest_and_youngest() -> None:
    bench = EngineBench(EngineConfig(n_slots=3, n_ctx_slot=64))
    _, low_old = bench.submit(request("low old", priority=-1, max_tokens=30))
    bench.step()
    _, low_young = bench.submit(request("low young", priority=-1, max_tokens=30))
    _, normal = bench.submit(request("normal", max_tokens=30))
    bench.step()
    _, high = bench.submit(request("high", priority=1, max_tokens=5))
    while not high.is_over:
        bench.step()
        assert bench.engine.queue_depth == 1
    assert high.accepted.slot_id == low_young.accepted.slot_id
    bench.run()
    for sink, text, length in ((low_old, "low old", 30), (low_young, "low young", 30), (normal, "normal", 30)):
        assert sink.text == expected_text(text, length)


def test_equal_priorities_take_nothing_from_each_other() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=64))
    _, first = bench.submit(request("first", priority=3, max_tokens=20))
    bench.step()
    bench.submit(request("second", priority=3))
    while not first.is_over:
        bench.step()
        assert bench.engine.snapshot().slots[0].state is not SlotState.IDLE or first.is_over
    bench.run()
    assert texts(first) == list(expected_text("first", 20))


def test_sequences_of_one_request_are_preempted_one_by_one() -> None:
    bench = EngineBench(EngineConfig(n_slots=2, n_ctx_slot=64))
    _, several = bench.submit(request("several", n_sequences=3, priority=-1, max_tokens=20))
    for _ in range(6):
        bench.step()
    _, high = bench.submit(request("high", max_tokens=3))
    bench.run()
    assert high.text == expected_text("high", 3)
    assert [several.text_of(index) for index in range(3)] == [expected_text("several", 20)] * 3


def test_under_self_extend_a_preempted_request_keeps_its_groups() -> None:
    config = EngineConfig(n_slots=1, n_ctx_slot=96, group_n=2, group_width=8)
    undisturbed = EngineBench(config).complete(request("g" * 30, max_tokens=30))
    bench = EngineBench(config)
    _, low = bench.submit(request("g" * 30, max_tokens=30, priority=-1))
    for _ in range(8):
        bench.step()
    bench.submit(request("high", max_tokens=3))
    bench.run()
    assert low.text == undisturbed.text


def test_embeddings_give_way_before_sequences_do() -> None:
    bench = EngineBench(SHARED, n_cells=120)
    _, running = bench.submit(request("a" * 10, max_tokens=100))
    bench.step()
    _, vectors = bench.submit(EmbeddingRequest((prompt("e" * 60), prompt("f" * 40))))
    bench.run()
    assert running.text == expected_text("a" * 10, 100)
    assert len(vectors.embedded.vectors) == 2


@pytest.mark.parametrize("seed", range(8))
def test_any_mix_on_cells_that_slots_compete_for(seed: int) -> None:
    mix = RandomMix(EngineBench(EngineConfig(n_slots=4, n_ctx_slot=60), n_cells=64 + seed * 16), seed)
    for _ in range(400):
        mix.step()
    mix.finish()
    assert mix.n_answered > 20
