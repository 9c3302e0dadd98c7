"""Tokens that are tried ahead: the same text in fewer steps."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from service.config import EngineConfig, Lookup
from service.engine.schedule.draft_credit import LOSS_SHARE
from service.engine.schedule.lookup_drafts import FIRST_CREDIT
from service.sampling.settings import SamplingSettings
from tests.support.engine import EngineBench, RecordingSink, request
from tests.support.random_mix import RandomMix

if TYPE_CHECKING:
    from collections.abc import Sequence

LOOKUP = EngineConfig(n_slots=2, n_ctx_slot=512, lookup=Lookup.ON)
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
    plain, plain_steps = complete(replace(LOOKUP, lookup=Lookup.OFF))
    tried, steps = complete(LOOKUP)
    assert tried.text == plain.text == (PHRASE * 9)[:100]
    assert steps < plain_steps / 3
    assert replace(tried.finished, seed=0, timings=plain.finished.timings) == replace(plain.finished, seed=0)


@pytest.mark.parametrize("lookup", [Lookup.ON, Lookup.AUTO])
@pytest.mark.parametrize("seed", range(6))
def test_sampled_text_is_that_of_the_same_draws_without_drafts(
    monkeypatch: pytest.MonkeyPatch, seed: int, lookup: Lookup
) -> None:
    # Enough repetitions for drafts, enough surprises to reject some.
    monkeypatch.setattr("service.testing.scripted_model.CERTAIN", 8.0)
    sampling = SamplingSettings(
        temperature=1.0, top_k=0, top_p=1.0, min_p=0.0, repeat_penalty=1.02, ignore_eos=True, seed=seed
    )
    plain, plain_steps = complete(replace(LOOKUP, lookup=Lookup.OFF), sampling=sampling, max_tokens=200)
    tried, steps = complete(replace(LOOKUP, lookup=lookup), sampling=sampling, max_tokens=200)
    assert tried.text == plain.text
    assert steps < plain_steps


@pytest.mark.parametrize("max_tokens", range(1, 30))
def test_the_limit_is_kept(max_tokens: int) -> None:
    sink, _ = complete(LOOKUP, max_tokens=max_tokens)
    assert sink.text == (PHRASE * 3)[:max_tokens]
    assert sink.finished.tokens_cached == PERIOD + max_tokens - 1


@pytest.mark.parametrize("stop", [b"l", b"kla", b"labc", b"efgh"])
def test_a_stop_text_ends_a_draft(stop: bytes) -> None:
    plain, _ = complete(replace(LOOKUP, lookup=Lookup.OFF), stop_texts=(stop,), min_tokens=30)
    tried, _ = complete(LOOKUP, stop_texts=(stop,), min_tokens=30)
    assert (tried.text, tried.finished.stop_text) == (plain.text, stop)
    assert tried.finished.tokens_cached == plain.finished.tokens_cached


def test_a_model_that_cannot_take_tokens_back_gets_no_drafts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    bench = EngineBench(LOOKUP, script=repeat, can_cut=False)
    assert "drafts have no effect" in caplog.text
    assert bench.complete(request(PHRASE, max_tokens=50)).text == (PHRASE * 5)[:50]
    assert n_steps(bench) == 50


@pytest.mark.parametrize("n_streams", [1, 2])
@pytest.mark.parametrize("token_s", [0.002, 0.005, 0.009])
@pytest.mark.parametrize("seed", range(3))
def test_with_auto_no_text_takes_longer_than_allowed(seed: int, token_s: float, n_streams: int) -> None:
    text = _misleading_text(seed, 400)

    def time_s(lookup: Lookup) -> float:
        config = replace(LOOKUP, lookup=lookup, n_ctx_slot=1024)
        behind = len(PHRASE)
        bench = EngineBench(config, script=lambda so_far: text[len(so_far) - behind], step_s=0.001, token_s=token_s)
        for _ in range(n_streams):
            bench.submit(request(PHRASE, max_tokens=len(text), cache_prompt=False))
        bench.run()
        return bench.clock.now_s

    plain_s = time_s(Lookup.OFF)
    step_s = plain_s / len(text)
    assert time_s(Lookup.AUTO) <= plain_s * (1 + LOSS_SHARE) + FIRST_CREDIT * step_s


def _misleading_text(seed: int, length: int) -> list[int]:
    """A text that keeps beginning to repeat itself, and soon goes on otherwise."""
    source = random.Random(seed)
    text = [*PHRASE.encode()]
    while len(text) < length:
        start = source.randrange(len(text))
        text += text[start : start + source.randrange(3, 15)]
        text.append(source.randrange(32, 127))
    return text[:length]


@pytest.mark.parametrize("lookup", [Lookup.ON, Lookup.AUTO])
@pytest.mark.parametrize("seed", range(6))
def test_any_mix_with_drafts(seed: int, lookup: Lookup) -> None:
    mix = RandomMix(EngineBench(EngineConfig(n_slots=4, n_ctx_slot=64, lookup=lookup), n_cells=220), seed)
    for _ in range(300):
        mix.step()
    mix.finish()
    assert mix.n_answered > 20
