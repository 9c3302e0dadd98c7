"""Tokens that are tried ahead: the same text in fewer steps."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from service.config import EngineConfig
from service.sampling.settings import SamplingSettings
from tests.support.engine import EngineBench, RecordingSink, request
from tests.support.random_mix import RandomMix

if TYPE_CHECKING:
    from collections.abc import Sequence

LOOKUP = EngineConfig(n_slots=2, n_ctx_slot=512, lookup=True)
PERIOD = 12
PHRASE = "abcdefghijkl"


def repeat(tokens: Sequence[int]) -> int:
    """The token that came a period ago: a text that repeats its prompt for ever."""
    return tokens[-PERIOD]


def n_steps(bench: EngineBench) -> int:
    """Steps of the model so far."""
    return len(bench.model.compute.decoded)


def complete(config: EngineConfig, **options: object) -> tuple[RecordingSink, int]:
    """A request that repeats its prompt, and how many steps it took."""
    bench = EngineBench(config, script=repeat, token_s=0.0001)
    sink = bench.complete(request(PHRASE, **({"max_tokens": 100} | options)))
    return sink, n_steps(bench)


def test_repetitions_take_fewer_steps_and_say_the_same() -> None:
    plain, plain_steps = complete(replace(LOOKUP, lookup=False))
    tried, steps = complete(LOOKUP)
    assert tried.text == plain.text == (PHRASE * 9)[:100]
    assert steps < plain_steps / 3
    assert replace(tried.finished, seed=0, timings=plain.finished.timings) == replace(plain.finished, seed=0)


@pytest.mark.parametrize("seed", range(6))
def test_sampled_text_is_that_of_the_same_draws_without_drafts(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    # Enough repetitions for drafts, enough surprises to reject some.
    monkeypatch.setattr("service.testing.scripted_model.CERTAIN", 8.0)
    sampling = SamplingSettings(
        temperature=1.0, top_k=0, top_p=1.0, min_p=0.0, repeat_penalty=1.02, ignore_eos=True, seed=seed
    )
    plain, plain_steps = complete(replace(LOOKUP, lookup=False), sampling=sampling, max_tokens=200)
    tried, steps = complete(LOOKUP, sampling=sampling, max_tokens=200)
    assert tried.text == plain.text
    assert steps < plain_steps


@pytest.mark.parametrize("max_tokens", range(1, 30))
def test_the_limit_is_kept(max_tokens: int) -> None:
    sink, _ = complete(LOOKUP, max_tokens=max_tokens)
    assert sink.text == (PHRASE * 3)[:max_tokens]
    assert sink.finished.tokens_cached == PERIOD + max_tokens - 1


@pytest.mark.parametrize("stop", [b"l", b"kla", b"labc", b"efgh"])
def test_a_stop_text_ends_a_draft(stop: bytes) -> None:
    plain, _ = complete(replace(LOOKUP, lookup=False), stop_texts=(stop,), min_tokens=30)
    tried, _ = complete(LOOKUP, stop_texts=(stop,), min_tokens=30)
    assert (tried.text, tried.finished.stop_text) == (plain.text, stop)
    assert tried.finished.tokens_cached == plain.finished.tokens_cached


def test_a_model_that_cannot_take_tokens_back_gets_no_drafts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    bench = EngineBench(LOOKUP, script=repeat, can_cut=False)
    assert "lookup has no effect" in caplog.text
    assert bench.complete(request(PHRASE, max_tokens=50)).text == (PHRASE * 5)[:50]
    assert n_steps(bench) == 50


@pytest.mark.parametrize("seed", range(6))
def test_any_mix_with_drafts(seed: int) -> None:
    mix = RandomMix(EngineBench(EngineConfig(n_slots=4, n_ctx_slot=64, lookup=True), n_cells=220), seed)
    for _ in range(300):
        mix.step()
    mix.finish()
    assert mix.n_answered > 20
