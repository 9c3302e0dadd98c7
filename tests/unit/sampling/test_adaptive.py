"""The sampler ``adaptive_p``."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from service.sampling.adaptive import AdaptiveP
from service.sampling.candidates import Candidates
from service.sampling.settings import SamplerName
from tests.unit.sampling.helpers import GREEDY, OFF, make

ROW = np.log(np.array([0.5, 0.3, 0.15, 0.05], np.float32))


def test_a_candidate_at_the_target_is_the_most_likely_one() -> None:
    adapted = AdaptiveP(0.3, 0.9).transform(Candidates.whole(ROW))
    x = abs(0.5 - 0.3) / 0.3
    assert adapted.logits[:2] == pytest.approx([5 - 10 * x * x / (1 + x), 5.0], abs=1e-5)
    assert adapted.logits.argmax() == 1


def test_it_aims_lower_after_likely_tokens_and_higher_after_unlikely_ones() -> None:
    adaptive = AdaptiveP(0.3, 0.5)
    assert adaptive.aim == pytest.approx(0.3)
    adaptive.observe(0.5)
    # S = 0.5 + 0.5 * 0.6 = 0.8, W = 1 + 0.5 * 2 = 2.
    assert adaptive.aim == pytest.approx(0.6 - 0.4)
    adaptive.observe(0.0)
    assert adaptive.aim == pytest.approx(0.6 - 0.2)


@pytest.mark.parametrize(("target", "seen", "aim"), [(1.0, 0.0, 1.0), (0.0, 1.0, 0.0)])
def test_the_aim_is_a_probability(target: float, seen: float, aim: float) -> None:
    adaptive = AdaptiveP(target, 0.0)
    adaptive.observe(seen)
    assert adaptive.aim == aim


def test_banned_tokens_stay_banned() -> None:
    options = replace(OFF, adaptive_target=0.0, logit_bias=((1, -math.inf), (2, -math.inf), (3, -math.inf)))
    sampler = make(options, n_vocab=4)
    assert {sampler.sample(ROW.copy()).id for _ in range(20)} == {0}


def test_texts_have_about_the_probability_that_is_aimed_at() -> None:
    seen = {}
    for target in (0.1, 0.45):
        sampler = make(replace(OFF, adaptive_target=target, adaptive_decay=0.9, seed=3), n_vocab=4)
        drawn = [sampler.sample(ROW.copy()).id for _ in range(400)]
        seen[target] = float(np.mean([math.exp(ROW[token]) for token in drawn]))
    assert seen[0.1] < 0.2 < 0.38 < seen[0.45]


def test_probabilities_are_reported_as_they_were_drawn_from() -> None:
    sampled = make(replace(OFF, adaptive_target=0.3, n_probs=4), n_vocab=4).sample(ROW.copy())
    assert sampled.probabilities[0][0] == 1
    assert sum(p for _, p in sampled.probabilities) == pytest.approx(1)


def test_it_is_off_below_0_and_without_its_name_in_a_chain() -> None:
    assert SamplerName.ADAPTIVE_P not in replace(OFF, adaptive_target=-0.5).chain
    assert replace(OFF, adaptive_target=0.0).chain[-1] is SamplerName.ADAPTIVE_P
    plain = replace(OFF, samplers=(SamplerName.TOP_K,))
    row = ROW.copy()
    draws = [make(options, n_vocab=4).sample(row.copy()).id for options in (plain, replace(plain, adaptive_target=0.2))]
    assert draws[0] == draws[1]


def test_temperature_0_takes_the_most_likely_token() -> None:
    assert make(replace(GREEDY, adaptive_target=0.1), n_vocab=4).sample(ROW.copy()).id == 0
