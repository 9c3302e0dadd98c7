"""The engine on the scripted model: every step is checked against the model's memory."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from service.config import EngineConfig
from service.engine.language_model import CacheFull, DecodeFailed
from service.engine.request.events import Accepted, FinishReason, Piece
from service.engine.request.requests import GenerationRequest, Overflow, SystemPrompt
from service.engine.request.snapshots import SlotState
from service.errors import CacheExhausted, ContextLengthExceeded, EngineFailure
from service.testing.scripted_model import EOS
from tests.support.engine import GREEDY, EngineBench, RecordingSink, expected_text, prompt, request

#: Types of what can be a text, or tokens of one.
HOLDS_TEXT = re.compile(r"str|bytes|tuple|list|frozenset|object|SystemPrompt")


def test_events_come_in_order_and_the_text_is_the_models() -> None:
    sink = EngineBench().complete(request())
    assert isinstance(sink.events[0], Accepted)
    assert [type(event) for event in sink.events[1:-1]] == [Piece] * 8
    assert sink.text == expected_text("hello", 8)
    finished = sink.finished
    assert finished.reason is FinishReason.LENGTH
    assert (finished.tokens_evaluated, finished.tokens_predicted, finished.tokens_cached) == (5, 8, 12)
    assert finished.timings.prompt_tokens == 5
    assert finished.timings.prompt_s > 0
    assert finished.timings.decode_s > 0


def test_requests_that_run_together_do_not_disturb_each_other() -> None:
    bench = EngineBench(EngineConfig(n_slots=4, n_ctx_slot=64))
    sinks = {text: bench.submit(request(text, max_tokens=20))[1] for text in ("a", "bc", "def", "ghij", "klmno")}
    bench.run()
    assert {text: sink.text for text, sink in sinks.items()} == {text: expected_text(text, 20) for text in sinks}


def test_a_request_that_arrives_later_joins_the_running_batch() -> None:
    bench = EngineBench()
    _, first = bench.submit(request("first", max_tokens=30))
    for _ in range(5):
        bench.step()
    _, second = bench.submit(request("second", max_tokens=3))
    bench.run()
    assert first.text == expected_text("first", 30)
    assert second.text == expected_text("second", 3)
    assert any(len(segments) == 2 for segments in bench.model.compute.decoded)


def test_requests_beyond_the_slots_wait_and_start_in_order() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=64))
    sinks = [bench.submit(request(text))[1] for text in ("one", "two", "three")]
    bench.step()
    assert bench.engine.queue_depth == 2
    bench.run()
    assert [sink.text for sink in sinks] == [expected_text(text, 8) for text in ("one", "two", "three")]
    queued = [sink.accepted.queued_s for sink in sinks]
    assert queued == sorted(queued)
    assert queued[1] > 0


def test_an_end_of_generation_token_stops() -> None:
    bench = EngineBench(script=lambda tokens: EOS if len(tokens) == 8 else ord("x"))
    sink = bench.complete(request(max_tokens=None))
    finished = sink.finished
    assert sink.text == "xxx"
    assert (finished.reason, finished.eos_token, finished.tokens_predicted) == (FinishReason.STOP, EOS, 4)
    assert [event.text for event in sink.events if isinstance(event, Piece)] == ["x", "x", "x", ""]


def test_an_end_token_at_the_limit_reports_both() -> None:
    bench = EngineBench(script=lambda tokens: EOS if len(tokens) == 8 else ord("x"))
    finished = bench.complete(request(max_tokens=4)).finished
    assert (finished.reason, finished.eos_token) == (FinishReason.LENGTH, EOS)


def test_min_tokens_keeps_the_end_away() -> None:
    bench = EngineBench(script=lambda tokens: EOS)
    finished = bench.complete(request(min_tokens=3, max_tokens=20)).finished
    assert (finished.tokens_predicted, finished.eos_token) == (4, EOS)


def test_a_stop_text_cuts_the_text_and_names_itself() -> None:
    text = expected_text("hello", 8)
    sink = EngineBench().complete(request(stop_texts=(b"\n", text[3:5].encode())))
    assert sink.text == text[:3]
    assert sink.finished.stop_text == text[3:5].encode()
    assert sink.finished.reason is FinishReason.STOP
    assert sink.finished.tokens_predicted == 5


def test_a_stop_token_ends_without_its_text() -> None:
    text = expected_text("hello", 8)
    sink = EngineBench().complete(request(stop_tokens=frozenset({ord(text[0])})))
    assert (sink.text, sink.finished.stop_token) == ("", ord(text[0]))


def test_held_back_text_is_not_lost_at_the_limit() -> None:
    text = expected_text("hello", 8)
    sink = EngineBench().complete(request(stop_texts=(text[-2:].encode() + b"never",)))
    assert sink.text == text


def test_characters_are_never_split() -> None:
    data = "né€😀".encode()
    bench = EngineBench(script=lambda tokens: (*data, EOS)[len(tokens) - 5])
    sink = bench.complete(request(max_tokens=None, want_tokens=True))
    pieces = [event for event in sink.events if isinstance(event, Piece)]
    assert [piece.text for piece in pieces] == ["n", "é", "€", "😀", ""]
    assert [len(piece.tokens) for piece in pieces] == [1, 2, 3, 4, 1]


def test_a_dangling_character_at_the_limit_becomes_a_replacement_character() -> None:
    data = "a€".encode()
    bench = EngineBench(script=lambda tokens: data[len(tokens) - 5])
    assert bench.complete(request(max_tokens=3)).text == "a�"


def test_zero_tokens_evaluate_the_prompt_into_the_cache() -> None:
    bench = EngineBench()
    sink = bench.complete(request(max_tokens=0))
    finished = sink.finished
    assert (sink.text, finished.tokens_predicted, finished.tokens_cached) == ("", 0, 5)
    assert finished.reason is FinishReason.LENGTH
    assert bench.complete(request()).accepted.cached_prompt_tokens == 4


def test_the_servers_limit_caps_the_requests() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=64, max_tokens=4))
    assert bench.complete(request(max_tokens=None)).finished.tokens_predicted == 4
    assert bench.complete(request(max_tokens=2)).finished.tokens_predicted == 2


# Context --------------------------------------------------------------------------------------------------------------


def test_a_prompt_that_cannot_fit_is_refused_with_both_numbers() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=32))
    error = bench.complete(request("x" * 32)).failed.error
    assert isinstance(error, ContextLengthExceeded)
    assert (error.n_prompt_tokens, error.n_ctx) == (32, 32)
    assert bench.complete(request("x" * 31)).finished.reason is FinishReason.LENGTH


def test_a_prompt_that_cannot_fit_is_truncated_if_asked_for() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=32))
    sink = bench.complete(request("y" * 100, overflow=Overflow.TRUNCATE, max_tokens=4))
    assert sink.accepted.prompt_tokens == 20
    assert sink.accepted.truncated_prompt_tokens == 80
    assert sink.finished.truncated


def test_what_was_left_out_before_the_engine_saw_the_prompt_counts_too() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=32))
    dropped = dataclasses.replace(request("y" * 36, overflow=Overflow.TRUNCATE, max_tokens=4), n_dropped=64)
    accepted = bench.complete(dropped).accepted
    assert (accepted.prompt_tokens, accepted.truncated_prompt_tokens) == (20, 80)


def test_a_prompt_that_fits_loses_nothing() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=32))
    assert bench.complete(request("y" * 31, overflow=Overflow.TRUNCATE)).accepted.truncated_prompt_tokens == 0


def test_generation_ends_where_the_context_does() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=32))
    finished = bench.complete(request(max_tokens=None)).finished
    assert (finished.reason, finished.truncated) == (FinishReason.LENGTH, True)
    assert finished.tokens_evaluated + finished.tokens_predicted == 32


def test_a_context_shift_goes_on_beyond_the_context() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=32))
    sink = bench.complete(request(overflow=Overflow.TRUNCATE, max_tokens=200, n_keep=3))
    assert sink.finished.tokens_predicted == 200
    assert sink.finished.truncated
    assert len(sink.text) == 200
    assert bench.model.memory.tokens(0)[:3] == list(prompt("hel"))


def test_a_model_that_cannot_shift_stops_cleanly() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=32), can_shift=False)
    finished = bench.complete(request(overflow=Overflow.TRUNCATE, max_tokens=200)).finished
    assert (finished.reason, finished.truncated) == (FinishReason.LENGTH, True)


def test_endless_generation_is_guarded() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=32))
    finished = bench.complete(request(overflow=Overflow.TRUNCATE, max_tokens=None)).finished
    assert finished.tokens_predicted == bench.model.info.n_ctx_train


# Cache ----------------------------------------------------------------------------------------------------------------


def test_a_conversation_evaluates_only_what_is_new() -> None:
    bench = EngineBench()
    first = bench.complete(request("question"))
    follow_up = "question" + first.text + " and more"
    second = bench.complete(request(follow_up))
    assert second.accepted.cached_prompt_tokens == len("question" + first.text) - 1
    assert second.text == expected_text(follow_up, 8)
    assert second.finished.timings.prompt_tokens == len(" and more") + 1


def test_the_slot_with_the_best_cache_is_chosen() -> None:
    bench = EngineBench()
    bench.complete(request("aaaaaaaa", slot_id=0))
    bench.complete(request("bbbbbbbb", slot_id=1))
    sink = bench.complete(request("aaaaaaaac"))
    assert (sink.accepted.slot_id, sink.accepted.cached_prompt_tokens) == (0, 8)


def test_a_request_may_refuse_the_cache() -> None:
    bench = EngineBench()
    bench.complete(request())
    sink = bench.complete(request(cache_prompt=False, slot_id=0))
    assert sink.accepted.cached_prompt_tokens == 0
    assert sink.text == expected_text("hello", 8)


def test_a_memory_that_cannot_be_cut_is_evaluated_anew() -> None:
    bench = EngineBench(can_cut=False)
    bench.complete(request("same start, one end", slot_id=0))
    sink = bench.complete(request("same start, another end", slot_id=0))
    assert sink.accepted.cached_prompt_tokens == 0
    assert sink.text == expected_text("same start, another end", 8)


def test_a_busy_slot_is_not_waited_for() -> None:
    bench = EngineBench()
    _, first = bench.submit(request(max_tokens=50, slot_id=1))
    bench.step()
    _, second = bench.submit(request("other", slot_id=1))
    bench.run()
    assert (first.accepted.slot_id, second.accepted.slot_id) == (1, 0)


def test_idle_caches_make_room_for_new_requests() -> None:
    bench = EngineBench(EngineConfig(n_slots=2, n_ctx_slot=64), n_cells=80)
    bench.complete(request("a" * 50, slot_id=0))
    sink = bench.complete(request("b" * 50, slot_id=1))
    assert sink.text == expected_text("b" * 50, 8)
    assert bench.engine.snapshot().slots[0].cached_tokens == 0


# Failures -------------------------------------------------------------------------------------------------------------


def test_a_full_cache_that_only_the_library_knew_of_delays_the_youngest_request() -> None:
    bench = EngineBench()
    _, old = bench.submit(request("old"))
    bench.step()
    _, young = bench.submit(request("young"))
    bench.model.compute.fail_next = CacheFull()
    bench.run()
    assert old.text == expected_text("old", 8)
    assert young.text == expected_text("young", 8)


def test_a_request_for_which_the_library_has_no_room_even_alone_ends() -> None:
    bench = EngineBench()
    _, sink = bench.submit(request())
    bench.model.compute.fail_next = CacheFull()
    bench.run()
    assert isinstance(sink.failed.error, CacheExhausted)
    assert bench.complete(request()).text == expected_text("hello", 8)


def test_a_failed_decode_ends_its_requests_and_the_engine_goes_on() -> None:
    bench = EngineBench()
    _, sink = bench.submit(request())
    bench.step()
    bench.model.compute.fail_next = DecodeFailed("broken")
    bench.run()
    assert isinstance(sink.failed.error, EngineFailure)
    assert bench.model.memory.cells_free == bench.model.info.n_cells
    assert bench.complete(request()).text == expected_text("hello", 8)


# Cancel ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", range(12))
def test_cancel_at_any_step_frees_the_slot_and_keeps_the_neighbour(steps: int) -> None:
    config = EngineConfig(n_slots=2, n_ctx_slot=64, prefill_budget_ms=1, idle_prefill_budget_ms=1)
    bench = EngineBench(config)
    task_id, cancelled = bench.submit(request("c" * 40, max_tokens=50))
    _, kept = bench.submit(request("kept", max_tokens=20))
    for _ in range(steps):
        bench.step()
    bench.engine.cancel(task_id)
    bench.run()
    assert not cancelled.is_over
    assert kept.text == expected_text("kept", 20)
    assert all(slot.state is SlotState.IDLE for slot in bench.engine.snapshot().slots)


def test_cancel_of_a_waiting_request_means_that_it_never_starts() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=64))
    bench.submit(request("running"))
    bench.step()
    task_id, waiting = bench.submit(request("waiting"))
    bench.engine.cancel(task_id)
    bench.run()
    assert waiting.events == []


def test_stop_finishes_running_requests_as_cancelled_and_refuses_waiting_ones() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=64))
    _, running = bench.submit(request("running", max_tokens=50))
    _, waiting = bench.submit(request("waiting"))
    for _ in range(4):
        bench.step()
    for sink, events in bench.engine.stop():
        assert isinstance(sink, RecordingSink)
        sink.put(events)
    assert running.finished.reason is FinishReason.CANCELLED
    assert waiting.failed.error.reason == "DRAINING"


# Steps ----------------------------------------------------------------------------------------------------------------


def test_a_long_prompt_does_not_freeze_a_running_stream() -> None:
    config = EngineConfig(n_slots=2, n_ctx_slot=1024, prefill_budget_ms=100)
    bench = EngineBench(config)
    _, stream = bench.submit(request("s", max_tokens=200))
    for _ in range(5):
        bench.step()
    bench.submit(request("l" * 900, max_tokens=1))
    gaps = []
    while not stream.is_over:
        before_s, before = bench.clock.now_s, len(stream.events)
        bench.step()
        assert len(stream.events) > before
        gaps.append(bench.clock.now_s - before_s)
    assert max(gaps) < 0.2


def test_an_idle_engine_evaluates_a_prompt_in_chunks_that_bound_the_wait() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=1024))
    bench.submit(request("p" * 900))
    steps_s = []
    while bench.engine.has_work:
        before_s = bench.clock.now_s
        bench.step()
        steps_s.append(bench.clock.now_s - before_s)
    # Once, a whole tile of 64 tokens is tried: it might have been cheaper.
    assert sorted(steps_s)[-2] < 0.3
    assert max(steps_s) == pytest.approx(0.010 + 64 * 0.005)


def test_snapshots_tell_the_last_request_of_an_idle_slot() -> None:
    bench = EngineBench()
    before = bench.engine.snapshot().slots[0]
    assert (before.task_id, before.request) == (None, None)
    bench.complete(request(slot_id=0))
    after = bench.engine.snapshot().slots[0]
    assert after.state is SlotState.IDLE
    assert (after.task_id, after.tokens_predicted, after.cached_tokens) == (1, 8, 12)
    assert after.finished is not None
    assert after.request == request(slot_id=0).without_texts()
    assert bench.engine.snapshot().counters.predicted_tokens == 8


def test_no_field_of_a_request_that_can_hold_a_text_is_kept_without_texts() -> None:
    full: dict[str, Any] = {"prompt": (1,), "stop_texts": (b"a",), "stop_tokens": frozenset({1}), "cache_salt": "a"}
    full |= {"system_prompt": SystemPrompt("a"), "grammar": "a", "echo": "a"}
    # Whoever adds one decides here whether others may see it, and everybody after the end.
    holders = {field.name for field in dataclasses.fields(GenerationRequest) if HOLDS_TEXT.search(str(field.type))}
    assert holders == {*full, "tenant"}
    emptied = GenerationRequest(**full, tenant="mine", max_tokens=5).without_texts()
    assert emptied == GenerationRequest(prompt=(), tenant="mine", max_tokens=5)


def test_snapshots_keep_no_texts_of_a_request_that_has_ended() -> None:
    sampling = dataclasses.replace(GREEDY, top_k=7, penalty_prompt=(1, 2), logit_bias=((3, -1.0),))
    asked = request(
        sampling=sampling,
        stop_texts=(expected_text("hello", 3).encode()[2:],),
        stop_tokens=frozenset({5}),
        echo="Hello",
    )
    bench = EngineBench()
    sink = bench.submit(asked)[1]
    bench.step()
    assert bench.engine.snapshot().slots[0].request == asked
    bench.run()
    slot = bench.engine.snapshot().slots[0]
    assert (sink.finished.stop_text is None, slot.finished and slot.finished.stop_text) == (False, b"")
    assert slot.request is not None
    assert (slot.request.prompt, slot.request.stop_texts, slot.request.stop_tokens) == ((), (), frozenset())
    assert (slot.request.echo, slot.request.grammar, slot.request.system_prompt) == (None, "", None)
    assert slot.request.sampling == dataclasses.replace(GREEDY, top_k=7, penalty_prompt=())


def test_token_records_carry_probabilities_when_asked_for() -> None:
    sampling = dataclasses.replace(GREEDY, n_probs=2, top_logprobs=1)
    sink = EngineBench().complete(request(sampling=sampling, want_tokens=True, max_tokens=1))
    (piece,) = [event for event in sink.events if isinstance(event, Piece)]
    (record,) = piece.tokens
    assert record.token_bytes.decode() == piece.text
    assert len(record.probabilities) == 2
    assert record.probabilities[0][0] == record.id
    assert record.logprob == pytest.approx(0.0, abs=1e-3)
    assert [token for token, _ in record.top_logprobs] == [record.id]
