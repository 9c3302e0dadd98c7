"""The system prompt that all slots begin with."""

from __future__ import annotations

from typing import Any

import pytest

from service.config import EngineConfig
from service.engine.language_model import DecodeFailed
from service.engine.request.events import SystemPromptSet
from service.engine.request.requests import Overflow, SystemPrompt, SystemPromptRequest
from service.errors import ContextLengthExceeded, EngineFailure, SlotsBusy
from service.sampling.settings import SamplingSettings
from service.testing.scripted_model import BOS
from tests.support.engine import EngineBench, RecordingSink, expected_text, prompt, request

TEXT = "Answer in one word. "


def system(text: str = TEXT) -> SystemPrompt:
    """A system prompt, without BOS."""
    return SystemPrompt(text, prompt(text), anti_prompt="User:", assistant_name="Bot")


def bench_with(text: str = TEXT, n_slots: int = 2, n_ctx: int = 64, **options: Any) -> EngineBench:
    """An engine with a system prompt in force."""
    bench = EngineBench(EngineConfig(n_slots=n_slots, n_ctx_slot=n_ctx), **options)
    sink = bench.complete(SystemPromptRequest(system(text)))
    assert sink.events == [SystemPromptSet()]
    return bench


def test_it_stands_in_front_of_every_prompt_and_is_evaluated_once() -> None:
    bench = bench_with()
    sinks = [bench.submit(request(text))[1] for text in ("one", "two")]
    bench.run()
    assert [sink.text for sink in sinks] == [expected_text(TEXT + text, 8) for text in ("one", "two")]
    assert sum(len(part.tokens) for batch in bench.model.compute.decoded for part in batch) == len(TEXT) + 2 * (3 + 7)


def test_its_tokens_are_in_no_count() -> None:
    bench = bench_with()
    sink = bench.complete(request("hello"))
    assert (sink.accepted.prompt_tokens, sink.accepted.cached_prompt_tokens) == (5, 0)
    finished = sink.finished
    assert (finished.tokens_evaluated, finished.tokens_cached, finished.timings.prompt_tokens) == (5, 12, 5)
    slot = bench.engine.snapshot().slots[sink.accepted.slot_id]
    assert (slot.prompt_tokens, slot.prompt_tokens_done, slot.cached_tokens) == (5, 5, 12)


def test_it_is_evaluated_once_for_all_salts_and_what_follows_it_is_not_shared() -> None:
    bench = bench_with()
    sinks = [bench.complete(request("the same question", cache_salt=salt)) for salt in ("a", "b")]
    assert [sink.accepted.cached_prompt_tokens for sink in sinks] == [0, 0]
    evaluated = sum(len(part.tokens) for batch in bench.model.compute.decoded for part in batch)
    assert evaluated == len(TEXT) + 2 * (len("the same question") + 7)


def test_a_conversation_behind_it_is_cached_as_without() -> None:
    bench = bench_with()
    first = bench.complete(request("question"))
    second = bench.complete(request("question" + first.text + "?"))
    assert second.accepted.cached_prompt_tokens == len("question") + 7
    assert second.text == expected_text(TEXT + "question" + first.text + "?", 8)


def test_the_cache_can_be_refused_but_the_system_prompt_is_shared_nevertheless() -> None:
    bench = bench_with()
    bench.complete(request("hello"))
    bench.model.compute.decoded.clear()
    sink = bench.complete(request("hello", cache_prompt=False))
    assert sink.accepted.cached_prompt_tokens == 0
    assert sum(len(part.tokens) for batch in bench.model.compute.decoded for part in batch) == 5 + 7


def test_a_request_can_bring_its_own() -> None:
    bench = bench_with("Old one. ")
    sink = bench.complete(request("hello", system_prompt=system()))
    assert sink.text == expected_text(TEXT + "hello", 8)
    assert bench.complete(request("next")).text == expected_text(TEXT + "next", 8)
    assert bench.engine.snapshot().system_prompt == system()


def test_an_empty_one_clears_it() -> None:
    bench = bench_with()
    sink = bench.complete(request("hello", system_prompt=SystemPrompt()))
    assert sink.text == expected_text("hello", 8)
    assert bench.engine.snapshot().system_prompt is None


def test_the_same_one_again_costs_nothing() -> None:
    bench = bench_with()
    bench.complete(request("hello"))
    sink = bench.complete(request("hello", system_prompt=system()))
    assert sink.accepted.cached_prompt_tokens == 4


def test_it_cannot_change_while_anybody_is_served() -> None:
    bench = bench_with()
    _, running = bench.submit(request("hello"))
    bench.step()
    _, refused = bench.submit(request("other", system_prompt=system("New. ")))
    bench.run()
    assert isinstance(refused.failed.error, SlotsBusy)
    assert running.text == expected_text(TEXT + "hello", 8)
    assert bench.engine.snapshot().system_prompt == system()


def test_it_cannot_change_while_anybody_waits_for_it() -> None:
    bench = EngineBench()
    _, first = bench.submit(request("hello", system_prompt=system()))
    _, refused = bench.submit(request("other", system_prompt=system("New. ")))
    _, waiting = bench.submit(request("waits"))
    bench.run()
    assert isinstance(refused.failed.error, SlotsBusy)
    assert first.text == expected_text(TEXT + "hello", 8)
    assert waiting.text == expected_text(TEXT + "waits", 8)


def test_a_long_one_is_evaluated_in_chunks() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=512, idle_prefill_budget_ms=100))
    bench.complete(SystemPromptRequest(system("s" * 300)))
    chunks = [len(part.tokens) for batch in bench.model.compute.decoded for part in batch]
    # Once, a whole tile of 64 tokens is tried: it might have been cheaper.
    assert sum(chunks) == 300
    assert sorted(chunks)[-2:] == [32, 64]


def test_bos_is_left_out_behind_it() -> None:
    bench = bench_with()
    with_bos = request("hello", prompt=(BOS, *prompt("hello")), has_bos=True)
    sink = bench.complete(with_bos)
    assert sink.accepted.prompt_tokens == 5
    assert sink.text == expected_text(TEXT + "hello", 8)
    assert EngineBench().complete(with_bos).accepted.prompt_tokens == 6


def test_what_it_leaves_of_the_context_bounds_prompts() -> None:
    bench = bench_with("s" * 40, n_ctx=64)
    assert bench.complete(request("p" * 23, max_tokens=1)).text == expected_text("s" * 40 + "p" * 23, 1)
    error = bench.complete(request("p" * 24)).failed.error
    assert isinstance(error, ContextLengthExceeded)
    assert (error.n_prompt_tokens, error.n_ctx) == (24, 24)


def test_a_truncated_prompt_fits_behind_it() -> None:
    bench = bench_with("s" * 40, n_ctx=64)
    sink = bench.complete(request("p" * 100, overflow=Overflow.TRUNCATE, max_tokens=4))
    accepted = sink.accepted
    assert accepted.prompt_tokens < 24
    assert accepted.prompt_tokens + accepted.truncated_prompt_tokens == 100
    assert len(sink.text) == 4


def test_a_context_shift_keeps_it_shared() -> None:
    bench = bench_with("system", n_ctx=32)
    options = {"overflow": Overflow.TRUNCATE, "max_tokens": 100, "n_keep": 2}
    sinks = [bench.submit(request(text, **options))[1] for text in ("first", "second")]
    bench.run()
    assert [sink.finished.tokens_predicted for sink in sinks] == [100, 100]
    assert bytes(bench.model.memory.tokens(0)).startswith(b"systemfi")
    assert bytes(bench.model.memory.tokens(1)).startswith(b"systemse")
    shared = [cell.holders for cell in bench.model.memory.cells(0)[:6]]
    assert shared == [3] * 6


def test_the_penalties_do_not_see_it() -> None:
    bench = bench_with("z" * 20)
    penalised = SamplingSettings(temperature=0.0, repeat_penalty=1000.0, repeat_last_n=-1)
    sink = bench.complete(request("q", sampling=penalised, max_tokens=1))
    assert sink.text == expected_text("z" * 20 + "q", 1)


@pytest.mark.parametrize("is_own_request", [True, False])
def test_one_that_cannot_be_evaluated_is_gone_and_its_request_fails(is_own_request: bool) -> None:
    bench = EngineBench()
    bench.model.compute.fail_next = DecodeFailed("broken")
    change = SystemPromptRequest(system()) if is_own_request else request("hello", system_prompt=system())
    _, sink = bench.submit(change)
    _, other = bench.submit(request("other"))
    bench.run()
    assert isinstance(sink.failed.error, EngineFailure)
    assert other.text == expected_text("other", 8)
    assert bench.engine.snapshot().system_prompt is None


def test_a_model_whose_memory_cannot_be_shared_evaluates_it_in_each_slot() -> None:
    bench = bench_with(can_fork=False)
    sinks: list[RecordingSink] = [bench.submit(request(text))[1] for text in ("one", "two")]
    bench.run()
    assert [sink.text for sink in sinks] == [expected_text(TEXT + text, 8) for text in ("one", "two")]
    assert [sink.finished.tokens_evaluated for sink in sinks] == [3, 3]
