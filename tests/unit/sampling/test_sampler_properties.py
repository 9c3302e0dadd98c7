"""A request's sampler against the formulas, and with the most extreme values there are."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.sampling.sampler import UnusableLogits
from service.sampling.settings import SamplerName, SamplingSettings
from tests.unit.sampling import naive
from tests.unit.sampling.helpers import LONG, NL_TOKEN, OFF, logits, make, row_of

CONTINUOUS = st.integers(0, 99).map(lambda percent: percent / 100 + 0.0013717)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.sampled_from([1, 2, 3, 4, 5, 30, 200]),
    step=st.sampled_from([0.0, 0.5]),
    options=st.builds(
        SamplingSettings,
        temperature=CONTINUOUS.map(lambda value: 2 * value + 0.05),
        dynatemp_range=st.sampled_from([0.0, 0.0, 0.3, 5.0]),
        dynatemp_exponent=CONTINUOUS.map(lambda value: 2 * value + 0.1),
        top_k=st.sampled_from([0, 1, 3, 40]),
        top_p=CONTINUOUS,
        min_p=CONTINUOUS.map(lambda value: value / 2),
        tfs_z=CONTINUOUS,
        typical_p=CONTINUOUS,
        top_n_sigma=st.just(0.0) | CONTINUOUS.map(lambda value: 3 * value),
        min_keep=st.integers(0, 6),
        repeat_penalty=st.sampled_from([1.0, 1.1]),
        presence_penalty=st.sampled_from([0.0, 0.4]),
        samplers=st.one_of(st.none(), st.lists(st.sampled_from(SamplerName), max_size=7).map(tuple)),
        n_probs=st.just(200),
        seed=st.just(1),
    ),
)
def test_survivors_and_probabilities_agree_with_the_formulas(
    seed: int, size: int, step: float, options: SamplingSettings
) -> None:
    row = row_of(seed, size, step=step)
    prompt = np.random.default_rng(seed).integers(0, size, 20).tolist()
    sampled = make(options, n_vocab=size, prompt=prompt).sample(row.copy())

    assert len(sampled.probabilities) == size
    values = [p for _, p in sampled.probabilities]
    assert values == sorted(values, reverse=True)
    assert math.fsum(values) == pytest.approx(1.0, abs=1e-5)
    assert dict(sampled.probabilities)[sampled.id] > 0

    penalised = naive.penalise(row.tolist(), prompt, options, NL_TOKEN)
    expected = naive.chain(list(enumerate(penalised)), options)
    expected_values = naive.softmax(expected)
    assert values[: len(expected)] == pytest.approx(expected_values, rel=1e-3, abs=1e-6)
    assert sum(values[len(expected) :]) == 0
    # Of equal logits typical may keep either, so that tokens are compared by their logits.
    survivors = [token for token, _ in sampled.probabilities[: len(expected)]]
    assert [penalised[token] for token in survivors] == pytest.approx(
        [penalised[token] for token, _ in expected], abs=1e-4
    )


@pytest.mark.parametrize("scale", [0.5, 3.0])
@pytest.mark.parametrize(
    "options",
    [
        SamplingSettings(),
        replace(OFF, top_p=0.9),
        replace(OFF, typical_p=0.3),
        replace(OFF, tfs_z=0.97),
        replace(OFF, min_p=0.1, temperature=0.7),
        replace(OFF, top_n_sigma=1.1),
        replace(OFF, temperature=1.3),
        replace(OFF, dynatemp_range=0.4),
        replace(OFF, top_k=700, top_p=0.5),
    ],
    ids=["defaults", "top_p", "typical_p", "tfs_z", "min_p", "top_n_sigma", "temperature", "dynamic", "long top_k"],
)
def test_a_whole_vocabulary_agrees_with_the_formulas(options: SamplingSettings, scale: float) -> None:
    row = row_of(21, LONG) * np.float32(scale)
    prompt = list(range(0, LONG, 311))
    sampled = make(replace(options, n_probs=LONG, seed=3), n_vocab=LONG, prompt=prompt).sample(row.copy())
    penalised = naive.penalise(row.tolist(), prompt[-64:], options, NL_TOKEN)
    expected = dict(zip(*_columns(naive.chain(list(enumerate(penalised)), options)), strict=True))
    survivors = {token: p for token, p in sampled.probabilities if p > 0}
    assert survivors.keys() == expected.keys()
    assert survivors == pytest.approx(expected, rel=2e-3)


def _columns(pairs: naive.Pairs) -> tuple[list[int], list[float]]:
    return [token for token, _ in pairs], naive.softmax(pairs)


EXTREMES = [-math.inf, -1e30, -1.0, 0.0, 1.0, 1e30]


@settings(deadline=None, max_examples=300)
@given(
    row=st.lists(st.sampled_from(EXTREMES), min_size=1, max_size=5).filter(lambda row: max(row) > -math.inf),
    options=st.builds(
        SamplingSettings,
        temperature=st.sampled_from([-1.0, 0.0, 1e-38, 0.8, 1e30]),
        dynatemp_range=st.sampled_from([0.0, 0.5, 1e30]),
        dynatemp_exponent=st.sampled_from([-10.0, 0.0, 1.0, 1e30]),
        top_k=st.sampled_from([0, 1, 40]),
        top_p=st.sampled_from([-1.0, 0.0, 0.5, 1.0]),
        min_p=st.sampled_from([0.0, 0.5, 1.0, 3.0]),
        tfs_z=st.sampled_from([-1.0, 0.0, 0.5, 1.0]),
        typical_p=st.sampled_from([-1.0, 0.0, 0.5, 1.0]),
        top_n_sigma=st.sampled_from([-1.0, 0.0, 0.5, 1e30]),
        min_keep=st.sampled_from([0, 2, 10]),
        repeat_penalty=st.sampled_from([1e-30, 1.0, 1.1, 1e30]),
        frequency_penalty=st.sampled_from([0.0, 1e30]),
        mirostat=st.sampled_from([0, 1, 2]),
        mirostat_tau=st.sampled_from([-5.0, 0.0, 5.0, 1e30]),
        mirostat_eta=st.sampled_from([0.0, 0.1, 1e30]),
        samplers=st.permutations(list(SamplerName)).map(tuple),
        n_probs=st.sampled_from([0, 3]),
        top_logprobs=st.sampled_from([None, 0, 3]),
        seed=st.just(5),
    ),
)
def test_extreme_values_choose_a_possible_token_or_are_refused(row: list[float], options: SamplingSettings) -> None:
    sampler = make(options, n_vocab=len(row), prompt=[0], eog=frozenset({0}))
    for _ in range(3):
        try:
            sampled = sampler.sample(logits(*row))
        except UnusableLogits:
            # Only a penalty can turn these rows into infinities.
            assert options.repeat_penalty != 1 or options.frequency_penalty
            return
        assert 0 <= sampled.id < len(row)
        assert row[sampled.id] > -math.inf or sampled.id == 0
        assert all(0 <= p <= 1 for _, p in sampled.probabilities)
        sampler.accept(sampled.id)
