"""Prompts whose log-probabilities are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from service.config import EngineConfig
from service.errors import EngineFailure
from service.testing.scripted_model import CERTAIN, N_VOCAB, ScriptedCompute, ScriptedModel
from tests.support.engine import EngineBench, expected_text, next_letters, request
from tests.support.random_mix import RandomMix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.engine.language_model import Logits

TEXT = "The keeper counted ships and wrote down what they carried."
#: Of a slot's context nothing is left for others.
WIDE = EngineConfig(n_slots=2, n_ctx_slot=200)


def test_log_probabilities_are_those_of_the_raw_row() -> None:
    text = b"ab"
    sink = EngineBench().complete(request(text.decode(), prompt_logprobs=3, max_tokens=0))
    row = np.zeros(N_VOCAB)
    row[next_letters(text[:1], 1).encode()[0]] = CERTAIN
    expected = row - np.log(np.exp(row - CERTAIN).sum()) - CERTAIN
    (_, record) = sink.prompt_tokens
    assert record.logprob == pytest.approx(expected[text[1]], abs=1e-4)
    assert [value for _, value in record.top_logprobs] == pytest.approx(np.sort(expected)[::-1][:3], abs=1e-4)


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
