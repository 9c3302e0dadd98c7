"""The sampler ``xtc``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.sampling.candidates import Candidates
from service.sampling.settings import SamplerName
from service.sampling.xtc import Xtc
from tests.unit.sampling import naive
from tests.unit.sampling.helpers import OFF, make, row_of

#: Probabilities of 0.4, 0.3, 0.2 and 0.1.
ROW = np.log(np.array([0.2, 0.4, 0.1, 0.3], np.float32))


def kept(candidates: Candidates) -> set[int]:
    return set(candidates.ids.tolist())


@pytest.mark.parametrize(
    ("threshold", "min_keep", "expected"),
    [
        (0.35, 1, {0, 1, 2, 3}),
        (0.29, 1, {0, 2, 3}),
        (0.15, 1, {0, 2}),
        (0.05, 1, {2}),
        (0.15, 2, {0, 2}),
        (0.15, 3, {0, 1, 2, 3}),
        (0.51, 1, {0, 1, 2, 3}),
    ],
)
@pytest.mark.parametrize("is_sorted", [False, True])
def test_all_likely_candidates_but_the_last_of_them_are_left_out(
    threshold: float, min_keep: int, expected: set[int], is_sorted: bool
) -> None:
    candidates = Candidates.whole(ROW)
    if is_sorted:
        candidates = candidates.first(4)
    assert kept(Xtc(1.0, threshold, min_keep, seed=1)(candidates)) == expected


@given(seed=st.integers(0, 99), size=st.integers(1, 60), threshold=st.floats(0.001, 0.6), min_keep=st.integers(1, 4))
def test_it_agrees_with_the_formula(seed: int, size: int, threshold: float, min_keep: int) -> None:
    row = row_of(seed, size)
    pairs = naive.by_logit(list(enumerate(row.tolist())))
    likely = sum(p >= threshold for p in naive.softmax(pairs))
    left = pairs[max(0, likely - 1) :]
    expected = {token for token, _ in (left if len(left) >= min_keep else pairs)}
    found = Xtc(1.0, threshold, min_keep, seed=1)(Candidates.whole(row))
    assert kept(found) == expected
    assert found.probabilities().sum() == pytest.approx(1, abs=1e-5)


def test_it_acts_on_about_the_part_of_tokens_that_was_asked_for() -> None:
    xtc = Xtc(0.3, 0.15, 1, seed=7)
    n_acted = sum(len(xtc(Candidates.whole(ROW))) < 4 for _ in range(2000))
    assert 500 < n_acted < 700


def test_a_seed_gives_the_same_answers_again_and_other_random_numbers_than_the_draw() -> None:
    options = replace(OFF, xtc_probability=0.5, xtc_threshold=0.15)
    row = row_of(3, 8)
    first, second = ([make(options).sample(row.copy()).id for _ in range(3)] for _ in range(2))
    assert first == second
    sampler = make(options)
    assert len({sampler.sample(np.zeros(8, np.float32)).id for _ in range(50)}) > 4


def test_it_joins_the_usual_chain_in_front_of_the_temperature_while_it_is_on() -> None:
    assert SamplerName.XTC not in OFF.chain
    chain = replace(OFF, xtc_probability=0.1).chain
    assert chain.index(SamplerName.MIN_P) < chain.index(SamplerName.XTC) < chain.index(SamplerName.TEMPERATURE)
