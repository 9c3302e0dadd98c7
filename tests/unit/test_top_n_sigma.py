"""The sampler ``top_n_sigma``, from its formula to what REST reports."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rest_adapter.apis.common.options import apply_options
from rest_adapter.apis.common.settings import generation_settings
from service.api.convert.sampling import sampling_params, sampling_settings
from service.sampling.candidates import Candidates
from service.sampling.settings import DEFAULT_SAMPLERS, SamplerName, SamplingSettings
from service.sampling.truncation import top_n_sigma
from slotline.v1 import generation_pb2
from tests.support.served import served_model
from tests.unit.sampling import naive
from tests.unit.sampling.helpers import LONG, NL_TOKEN, OFF, make, row_of

MODEL = served_model()
INF = math.inf


def kept(candidates: Candidates) -> set[int]:
    return set(candidates.ids.tolist())


def asked_for(**body: Any) -> SamplingSettings:
    """The settings of a REST body."""
    request = generation_pb2.GenerateRequest()
    apply_options(request, body)
    return sampling_settings(request.sampling, request.output, MODEL)


def reported(options: SamplingSettings) -> dict[str, object]:
    """What REST shows as the settings in force."""
    told = generation_pb2.GenerationSettings(sampling=sampling_params(options, 1))
    return generation_settings(told, model="m", is_stream=False)


# The mean is 3, the variance (9 + 1 + 1 + 9) / 4 = 5, sigma 2.236.
@pytest.mark.parametrize(
    ("row", "n", "min_keep", "expected"),
    [
        ([6, 4, 2, 0], 0.5, 1, {0}),
        ([6, 4, 2, 0], 0.9, 1, {0, 1}),
        ([6, 4, 2, 0], 1.8, 1, {0, 1, 2}),
        ([6, 4, 2, 0], 3, 1, {0, 1, 2, 3}),
        ([6, 4, 2, 0], 0.5, 3, {0, 1, 2}),
        ([6, 4, 2, 0], 0.5, 9, {0, 1, 2, 3}),
        # Exactly on the limit.
        ([2, 0], 2, 1, {0, 1}),
        ([5, 5, 5], 0.1, 1, {0, 1, 2}),
        ([7], 1, 1, {0}),
        # Banned tokens count for nothing.
        ([6, 4, 2, 0, -INF, -INF], 0.9, 1, {0, 1}),
        ([3, -INF], 1, 1, {0}),
    ],
)
def test_it_keeps_what_is_within_n_standard_deviations_of_the_best(
    row: list[float], n: float, min_keep: int, expected: set[int]
) -> None:
    candidates = Candidates.whole(np.array(row, np.float32))
    assert kept(top_n_sigma(candidates, n, min_keep)) == expected
    assert kept(top_n_sigma(candidates.first(len(row)), n, min_keep)) == expected


@pytest.mark.parametrize("is_sorted", [False, True])
@settings(deadline=None)
@given(
    row=st.lists(st.integers(-20_000, 20_000).map(lambda n: n / 1000) | st.just(-INF), min_size=1, max_size=60),
    n=st.floats(0.001, 4),
    min_keep=st.integers(1, 5),
)
def test_it_agrees_with_its_formula(is_sorted: bool, row: list[float], n: float, min_keep: int) -> None:
    assume(max(row) > -INF)
    logits = np.array(row, np.float32)
    pairs = list(enumerate(logits.tolist()))
    expected = {token for token, _ in naive.top_n_sigma(pairs, n, min_keep)}
    for border in (n - 1e-9, n + 1e-9):
        assume({token for token, _ in naive.top_n_sigma(pairs, border, min_keep)} == expected)
    candidates = Candidates.whole(logits)
    assert kept(top_n_sigma(candidates.first(len(row)) if is_sorted else candidates, n, min_keep)) == expected
    assert logits.tolist() == [logit for _, logit in pairs]


@pytest.mark.parametrize("n", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("options", [SamplingSettings(), OFF], ids=["defaults", "alone"])
def test_it_acts_before_the_usual_samplers_without_being_named(options: SamplingSettings, n: float) -> None:
    row = row_of(31, LONG)
    sampled = make(replace(options, top_n_sigma=n, n_probs=LONG, seed=3), n_vocab=LONG).sample(row.copy())
    survivors = naive.top_n_sigma(list(enumerate(naive.penalise(row.tolist(), [], options, NL_TOKEN))), n, 1)
    assert len(survivors) < LONG
    expected = naive.chain(survivors, options)
    assert {token for token, p in sampled.probabilities if p > 0} == {token for token, _ in expected}
    assert [p for _, p in sampled.probabilities[: len(expected)]] == pytest.approx(naive.softmax(expected), rel=2e-3)


def test_it_acts_only_if_it_is_on_and_among_samplers_that_are_named_only_if_it_is() -> None:
    assert asked_for(top_n_sigma=1.5).chain == (SamplerName.TOP_N_SIGMA, *DEFAULT_SAMPLERS)
    for off in (0, -1, None):
        assert asked_for(top_n_sigma=off).chain == asked_for().chain == DEFAULT_SAMPLERS
    assert asked_for(top_n_sigma=1.5, samplers=["top_k"]).chain == (SamplerName.TOP_K,)
    named = asked_for(top_n_sigma=1.5, samplers=["top_k", "top_n_sigma"])
    assert named.chain == (SamplerName.TOP_K, SamplerName.TOP_N_SIGMA)


def test_reports_show_it_only_while_it_is_on() -> None:
    usual = reported(asked_for())
    assert "top_n_sigma" not in usual
    assert usual["samplers"] == ["top_k", "tfs_z", "typical_p", "top_p", "min_p", "temperature"]
    assert reported(asked_for(top_n_sigma=-1)) == usual
    samplers = ["top_n_sigma", "top_k", "tfs_z", "typical_p", "top_p", "min_p", "temperature"]
    assert reported(asked_for(top_n_sigma=1.5)) == usual | {"top_n_sigma": 1.5, "samplers": samplers}
