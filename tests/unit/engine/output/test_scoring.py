"""Prompts whose log-probabilities are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from service.config import EngineConfig
from service.engine.request.events import Accepted, Finished, FinishReason, Piece, PromptTokens
from service.engine.request.requests import Overflow, SystemPrompt, SystemPromptRequest
from service.errors import ContextLengthExceeded, EngineFailure
from service.testing.scripted_model import CERTAIN, N_VOCAB, ScriptedCompute, ScriptedModel
from tests.support.engine import EngineBench, assert_scored, expected_text, next_letters, prompt, request
from tests.support.random_mix import RandomMix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.engine.language_model import Logits

TEXT = "The keeper counted ships and wrote down what they carried."
#: Of a slot's context nothing is left for others.
WIDE = EngineConfig(n_slots=2, n_ctx_slot=200)


def n_logits_of_steps(bench: EngineBench) -> list[int]:
    """Rows of logits that each step wanted."""
    return [sum(segment.n_logits for segment in segments) for segments in bench.model.compute.decoded]


def test_the_prompts_tokens_come_between_acceptance_and_answer() -> None:
    bench = EngineBench(WIDE)
    sink = bench.complete(request(TEXT, prompt_logprobs=2))
    kinds = list(dict.fromkeys(type(event) for event in sink.events))
    assert kinds == [Accepted, PromptTokens, Piece, Finished]
    assert_scored(sink.prompt_tokens, prompt(TEXT))
    assert len(sink.prompt_tokens) == len(TEXT)
    assert sink.text == expected_text(TEXT, 8)


def test_log_probabilities_are_those_of_the_raw_row() -> None:
    text = b"ab"
    sink = EngineBench().complete(request(text.decode(), prompt_logprobs=3, max_tokens=0))
    row = np.zeros(N_VOCAB)
    row[next_letters(text[:1], 1).encode()[0]] = CERTAIN
    expected = row - np.log(np.exp(row - CERTAIN).sum()) - CERTAIN
    (_, record) = sink.prompt_tokens
    assert record.logprob == pytest.approx(expected[text[1]], abs=1e-4)
    assert [value for _, value in record.top_logprobs] == pytest.approx(np.sort(expected)[::-1][:3], abs=1e-4)


def test_nothing_needs_to_be_generated() -> None:
    sink = EngineBench(WIDE).complete(request(TEXT, prompt_logprobs=0, max_tokens=0))
    assert_scored(sink.prompt_tokens, prompt(TEXT))
    assert len(sink.prompt_tokens) == len(TEXT)
    assert (sink.finished.reason, sink.finished.tokens_predicted) == (FinishReason.LENGTH, 0)


def test_a_prompt_of_one_token_has_nothing_before_it() -> None:
    sink = EngineBench().complete(request("x", prompt_logprobs=5))
    assert [(record.id, record.logprob) for record in sink.prompt_tokens] == [(ord("x"), None)]
    assert sink.text == expected_text("x", 8)


def test_a_step_takes_no_more_rows_than_there_are() -> None:
    bench = EngineBench(EngineConfig(n_slots=3, n_ctx_slot=200), n_logits=16)
    _, stream = bench.submit(request("stream", max_tokens=60))
    while not stream.text:
        bench.step()
    sinks = [bench.submit(request(f"{number}{TEXT}", prompt_logprobs=1))[1] for number in range(3)]
    bench.run()
    for number, sink in enumerate(sinks):
        assert_scored(sink.prompt_tokens, prompt(f"{number}{TEXT}"))
        assert sink.text == expected_text(f"{number}{TEXT}", 8)
    assert stream.text == expected_text("stream", 60)
    assert 8 < max(n_logits_of_steps(bench)) <= 16


def test_where_every_slot_has_but_one_row_prompts_still_come_to_their_end() -> None:
    bench = EngineBench(WIDE, n_logits=1, n_seq_max=3)
    sinks = [bench.submit(request(f"{number}{TEXT}", prompt_logprobs=1))[1] for number in range(2)]
    bench.run()
    assert all(len(sink.prompt_tokens) == len(TEXT) + 1 for sink in sinks)
    assert max(n_logits_of_steps(bench)) <= 3


def test_a_cached_prompt_is_evaluated_again_and_the_cache_stays_for_others() -> None:
    bench = EngineBench(EngineConfig(n_slots=3, n_ctx_slot=200))
    bench.complete(request(TEXT))
    scored = bench.complete(request(TEXT, prompt_logprobs=1))
    assert scored.accepted.cached_prompt_tokens == 0
    assert_scored(scored.prompt_tokens, prompt(TEXT))
    assert scored.accepted.slot_id != 0
    again = bench.complete(request(TEXT))
    assert again.accepted.cached_prompt_tokens == len(TEXT) - 1


def test_what_the_only_slot_held_is_saved_for_others() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=200))
    bench.complete(request(TEXT))
    bench.complete(request("another prompt that has nothing to do with it", prompt_logprobs=1))
    assert bench.complete(request(TEXT)).accepted.cached_prompt_tokens == len(TEXT) - 1


def test_a_scored_prompt_is_a_cache_like_any_other() -> None:
    bench = EngineBench(WIDE)
    bench.complete(request(TEXT, prompt_logprobs=1))
    assert bench.complete(request(TEXT)).accepted.cached_prompt_tokens == len(TEXT) - 1


def test_a_scored_prompt_waits_for_nobody_who_evaluates_the_same() -> None:
    bench = EngineBench(EngineConfig(n_slots=2, n_ctx_slot=200, idle_prefill_budget_ms=1))
    bench.submit(request(TEXT))
    bench.step()
    _, scored = bench.submit(request(TEXT, prompt_logprobs=1))
    bench.step()
    assert scored.accepted.slot_id == 1
    bench.run()
    assert_scored(scored.prompt_tokens, prompt(TEXT))


def test_several_sequences_share_the_prompt_that_one_of_them_scored() -> None:
    bench = EngineBench(EngineConfig(n_slots=3, n_ctx_slot=200))
    sink = bench.complete(request(TEXT, prompt_logprobs=1, n_sequences=3))
    assert len(sink.prompt_tokens) == len(TEXT)
    assert_scored(sink.prompt_tokens, prompt(TEXT))
    assert all(sink.text_of(index) == expected_text(TEXT, 8) for index in range(3))
    n_evaluated = sum(len(segment.tokens) for segments in bench.model.compute.decoded for segment in segments)
    assert n_evaluated < 2 * len(TEXT)


def test_behind_a_system_prompt_only_the_requests_own_tokens_are_scored() -> None:
    bench = EngineBench(WIDE)
    system = prompt("Be brief. ")
    bench.complete(SystemPromptRequest(SystemPrompt("Be brief. ", system)))
    sink = bench.complete(request(TEXT, prompt_logprobs=1))
    assert_scored(sink.prompt_tokens, prompt(TEXT), system)
    assert len(sink.prompt_tokens) == len(TEXT)
    n_evaluated = sum(len(segment.tokens) for segments in bench.model.compute.decoded for segment in segments)
    assert n_evaluated < len(system) + len(TEXT) + 8


def test_a_preempted_prompt_goes_on_behind_its_last_record() -> None:
    config = EngineConfig(n_slots=1, n_ctx_slot=200, prefill_budget_ms=1, idle_prefill_budget_ms=1)
    bench = EngineBench(config)
    _, scored = bench.submit(request(TEXT, prompt_logprobs=1))
    while not scored.prompt_tokens:
        bench.step()
    assert len(scored.prompt_tokens) < len(TEXT)
    _, urgent = bench.submit(request("now", priority=1))
    bench.run()
    assert bench.engine.snapshot().counters.preemptions == 1
    assert urgent.text == expected_text("now", 8)
    assert_scored(scored.prompt_tokens, prompt(TEXT))
    assert len(scored.prompt_tokens) == len(TEXT)


def test_the_context_may_be_shifted_behind_a_scored_prompt() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=64))
    sink = bench.complete(request(TEXT[:50], prompt_logprobs=1, max_tokens=60, overflow=Overflow.TRUNCATE))
    assert_scored(sink.prompt_tokens, prompt(TEXT[:50]))
    assert sink.finished.truncated
    assert sink.finished.tokens_predicted == 60


def test_a_prompt_that_does_not_fit_is_refused_rather_than_truncated() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=32))
    sink = bench.complete(request(TEXT, prompt_logprobs=1, overflow=Overflow.TRUNCATE))
    assert isinstance(sink.failed.error, ContextLengthExceeded)


def test_a_cancelled_prompt_leaves_its_slot() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=200, idle_prefill_budget_ms=1))
    task_id, scored = bench.submit(request(TEXT, prompt_logprobs=1))
    bench.step()
    n_records = len(scored.prompt_tokens)
    assert 0 < n_records < len(TEXT)
    bench.engine.cancel(task_id)
    bench.run()
    assert len(scored.prompt_tokens) == n_records
    assert bench.complete(request("next")).text == expected_text("next", 8)


def test_the_time_of_a_step_counts_the_rows_that_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows take time beyond the tokens; with it the model of costs gives fewer tokens than without."""

    monkeypatch.setattr(ScriptedModel, "compute_type", _SlowRows)

    def longest_step(n_top: int | None) -> int:
        bench = EngineBench(EngineConfig(n_slots=2, n_ctx_slot=400, prefill_budget_ms=100), n_logits=64)
        _, stream = bench.submit(request("stream", max_tokens=80))
        while not stream.text:
            bench.step()
        bench.submit(request(TEXT * 6, prompt_logprobs=n_top, max_tokens=0))
        bench.run()
        sizes = [len(part.tokens) for parts in bench.model.compute.decoded for part in parts if len(part.tokens) > 1]
        return max(sizes[-3:])

    assert longest_step(0) < longest_step(None)


def test_rows_without_numbers_fail_the_request_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ScriptedModel, "compute_type", _NoNumbers)
    bench = EngineBench(WIDE)
    _, other = bench.submit(request("other", max_tokens=20))
    sink = bench.complete(request("x\x00y", prompt_logprobs=1))
    assert isinstance(sink.failed.error, EngineFailure)
    assert other.text == expected_text("other", 20)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_else_runs_records_are_those_of_their_prompts(seed: int) -> None:
    bench = EngineBench(EngineConfig(n_slots=3, n_ctx_slot=60), n_cells=110)
    mix = RandomMix(bench, seed)
    for _ in range(150):
        mix.step()
    mix.finish()
    assert mix.n_answered


class _SlowRows(ScriptedCompute):
    """Looking at a row of a prompt takes as long as a token."""

    def logits(self, index: int, row: int = 0) -> Logits:
        assert self._clock is not None
        self._clock.advance(self._token_s)
        return super().logits(index, row)


class _NoNumbers(ScriptedCompute):
    """Rows behind a NUL are not numbers."""

    def logits(self, index: int, row: int = 0) -> Logits:
        logits = super().logits(index, row)
        segment = self.decoded[-1][index]
        seen: Sequence[int] = segment.tokens[: len(segment.tokens) - segment.n_logits + row + 1]
        return np.full_like(logits, np.nan) if seen[-1] == 0 else logits
