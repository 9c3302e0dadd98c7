"""Drafts of a smaller model: the same text in fewer steps, and hardly ever more time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from service.config import EngineConfig, Lookup
from service.engine.schedule.draft_credit import LOSS_SHARE
from service.engine.schedule.model_drafts import FIRST_CREDIT, FIRST_READING, wanted_lengths
from service.sampling.settings import SamplingSettings
from service.testing.scripted_media import media_chunk
from service.testing.scripted_model import Script, ScriptedModel, next_letter
from tests.support.engine import EngineBench, RecordingSink, expected_text, request
from tests.support.pictures import WIDTH
from tests.support.random_mix import RandomMix
from tests.unit.engine.test_adapters import ADAPTERS

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIG = EngineConfig(n_slots=2, n_ctx_slot=1024)
WRONG = ord("?")


def wrong_every(period: int) -> Script:
    """A draft model that is wrong behind every so many tokens."""
    return lambda tokens: WRONG if len(tokens) % period == 0 else next_letter(tokens)


def always_wrong(tokens: Sequence[int]) -> int:
    """A draft model that is never right."""
    return WRONG


def complete(config: EngineConfig, draft: Script | None, **options: object) -> tuple[RecordingSink, EngineBench]:
    """A request, and the engine that served it."""
    bench = EngineBench(config, draft_options=None if draft is None else {"script": draft}, token_s=0.0001)
    sink = bench.complete(request("hello", **({"max_tokens": 200} | options)))
    return sink, bench


def n_steps(bench: EngineBench) -> int:
    """Steps of the model so far."""
    return len(bench.model.compute.decoded)


def most_drafted(bench: EngineBench) -> int:
    """Tokens of the longest draft so far."""
    return max(len(segment.tokens) - 1 for call in bench.model.compute.decoded[1:] for segment in call)


@pytest.mark.parametrize("period", [1, 2, 5, 50])
def test_the_text_is_the_same_however_often_guesses_are_right(period: int) -> None:
    plain, plain_bench = complete(CONFIG, None)
    tried, bench = complete(CONFIG, wrong_every(period))
    assert tried.text == plain.text == expected_text("hello", 200)
    assert replace(tried.finished, seed=0, timings=plain.finished.timings) == replace(plain.finished, seed=0)
    assert n_steps(bench) <= n_steps(plain_bench)
    assert period < 50 or n_steps(bench) < n_steps(plain_bench) / 4


@pytest.mark.parametrize("seed", range(6))
def test_sampled_text_is_that_of_the_same_draws_without_drafts(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    # The model often says something else than its most probable token, which is what the draft model guesses.
    monkeypatch.setattr("service.testing.scripted_model.CERTAIN", 7.0)
    sampling = SamplingSettings(
        temperature=1.0, top_k=0, top_p=1.0, min_p=0.0, repeat_penalty=1.02, ignore_eos=True, seed=seed
    )
    plain, plain_bench = complete(CONFIG, None, sampling=sampling)
    tried, bench = complete(CONFIG, next_letter, sampling=sampling)
    assert tried.text == plain.text
    counters = bench.engine.snapshot().counters
    assert 0 < counters.accepted_tokens < counters.drafted_tokens
    assert n_steps(bench) < n_steps(plain_bench)


@pytest.mark.parametrize("max_tokens", range(1, 30))
def test_the_limit_is_kept(max_tokens: int) -> None:
    sink, _ = complete(CONFIG, next_letter, max_tokens=max_tokens)
    assert sink.text == expected_text("hello", max_tokens)
    assert sink.finished.tokens_cached == 5 + max_tokens - 1


@pytest.mark.parametrize(("least", "most", "expected"), [(0, 16, (1, 3, 7, 15)), (4, 6, (6,)), (8, 31, (15, 31))])
def test_lengths_are_those_that_are_wanted(least: int, most: int, expected: tuple[int, ...]) -> None:
    assert wanted_lengths(least, most) == expected


def test_no_draft_is_longer_or_shorter_than_wanted() -> None:
    _, bench = complete(replace(CONFIG, draft_max=5), next_letter)
    assert most_drafted(bench) == 3
    _, bench = complete(replace(CONFIG, draft_min=5, draft_max=6), next_letter)
    drafts = {len(segment.tokens) for call in bench.model.compute.decoded[1:] for segment in call}
    assert drafts <= {1, *range(6, 8)}
    assert max(drafts) == 7


@pytest.mark.parametrize("n_streams", [1, 2])
@pytest.mark.parametrize("token_s", [0.0005, 0.002, 0.009])
@pytest.mark.parametrize("draft", [always_wrong, wrong_every(2), wrong_every(4)])
def test_no_text_takes_longer_than_allowed(draft: Script, token_s: float, n_streams: int) -> None:
    def time_s(draft_options: dict[str, object] | None) -> float:
        bench = EngineBench(CONFIG, draft_options=draft_options, step_s=0.001, token_s=token_s)
        for _ in range(n_streams):
            bench.submit(request("hello", max_tokens=600, cache_prompt=False))
        bench.run()
        return bench.clock.now_s

    plain_s = time_s(None)
    step_s = plain_s / 600
    most_s = plain_s * (1 + 2 * LOSS_SHARE) + (FIRST_CREDIT + FIRST_READING) * step_s
    assert time_s({"script": draft, "step_s": 0.0002, "token_s": token_s / 4}) <= most_s


def test_drafts_come_back_when_they_are_right_again() -> None:
    def turning(tokens: Sequence[int]) -> int:
        return WRONG if len(tokens) < 300 else next_letter(tokens)

    sink, bench = complete(replace(CONFIG, n_ctx_slot=4096), turning, max_tokens=3000)
    assert sink.text == expected_text("hello", 3000)
    assert n_steps(bench) < 2000


def test_a_request_tells_how_its_drafts_went() -> None:
    bench = EngineBench(CONFIG, draft_options={"script": wrong_every(9)}, token_s=0.0001)
    timings = bench.complete(request("hello", max_tokens=100)).finished.timings
    counters = bench.engine.snapshot().counters
    assert (timings.draft_tokens, timings.draft_accepted) == (counters.drafted_tokens, counters.accepted_tokens)
    assert 0 < counters.accepted_tokens < counters.drafted_tokens


@pytest.mark.parametrize("lookup", [Lookup.OFF, Lookup.AUTO])
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("draft", [next_letter, wrong_every(5)])
def test_any_mix_with_drafts(draft: Script, seed: int, lookup: Lookup) -> None:
    pictures = [media_chunk("cat", 5, width=WIDTH, n_positions=None, is_causal=True)]
    config = EngineConfig(n_slots=4, n_ctx_slot=64, lookup=lookup)
    options: dict[str, object] = {"script": draft, "n_cells": 150}
    bench = EngineBench(config, draft_options=options, n_cells=220, n_embd_input=WIDTH)
    mix = RandomMix(bench, seed, pictures=pictures if seed % 2 else ())
    for _ in range(300):
        mix.step()
    mix.finish()
    assert mix.n_answered > 20


def test_a_draft_model_that_fails_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    bench = EngineBench(CONFIG, draft_options={"script": next_letter}, token_s=0.0001)
    _, sink = bench.submit(request("hello", max_tokens=100))
    bench.step()
    assert bench.model.draft is not None
    bench.model.draft.compute.fail_next = MemoryError()
    bench.run()
    assert sink.text == expected_text("hello", 100)
    assert [record.message for record in caplog.records] == ["drafts of ModelDrafts are off, after an error"]


def test_what_was_read_serves_requests_with_other_scales_of_adapters() -> None:
    bench = EngineBench(CONFIG, draft_options={"script": next_letter}, token_s=0.0001, adapters=ADAPTERS)
    text = "a prompt of some length " * 8
    # So small that the model says the same.
    bench.complete(request(text, max_tokens=100))
    assert bench.model.draft is not None
    n_read = n_drafter_tokens(bench.model.draft)
    sink = bench.complete(request(text, max_tokens=100, adapter_scales=(0.001, 0.0)))
    assert sink.text == expected_text(text, 100)
    assert bench.engine.snapshot().counters.accepted_tokens > 100
    assert n_drafter_tokens(bench.model.draft) - n_read < len(text)


def n_drafter_tokens(drafter: ScriptedModel) -> int:
    """Tokens that a draft model has evaluated so far."""
    return sum(len(segment.tokens) for call in drafter.compute.decoded for segment in call)
