"""Mirostat 1 and 2."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.sampling.candidates import Candidates
from service.sampling.mirostat import Mirostat
from tests.unit.sampling import naive


def make(version: int, *, target: float = 5.0, learning_rate: float = 0.1, n_vocab: int = 1000) -> Mirostat:
    return Mirostat(version, target=target, learning_rate=learning_rate, n_vocab=n_vocab)


def of_probabilities(probabilities: list[float]) -> Candidates:
    with np.errstate(divide="ignore"):
        return Candidates.whole(np.log(np.array(probabilities)).astype(np.float32))


def zipf(n: int, exponent: float) -> npt.NDArray[np.float32]:
    return (-exponent * np.log(np.arange(1, n + 1))).astype(np.float32)


@pytest.mark.parametrize("version", [1, 2])
def test_the_limit_starts_at_twice_the_target_and_follows_the_surprise(version: int) -> None:
    mirostat = make(version, target=3.0, learning_rate=0.5)
    assert mirostat.limit == 6.0
    mirostat.observe(0.5)
    assert mirostat.limit == pytest.approx(6.0 - 0.5 * (1 - 3))
    mirostat.observe(1 / 64)
    assert mirostat.limit == pytest.approx(7.0 - 0.5 * (6 - 3))


@pytest.mark.parametrize(
    ("limit", "expected"), [(0.5, [0]), (1.1, [0]), (2.1, [0, 1]), (3.1, [0, 1, 2, 3]), (-9.0, [0])]
)
def test_version_2_drops_what_surprises_more_than_the_limit(limit: float, expected: list[int]) -> None:
    mirostat = make(2)
    mirostat.limit = limit
    assert sorted(mirostat.truncate(of_probabilities([0.5, 0.25, 0.125, 0.125])).ids.tolist()) == expected


@settings(deadline=None)
@given(
    row=st.lists(st.integers(-8_000, 8_000), min_size=2, max_size=150, unique=True),
    limit=st.floats(0.5, 12.0),
)
def test_version_1_keeps_as_many_as_its_formula_says(row: list[int], limit: float) -> None:
    mirostat = make(1, n_vocab=150)
    mirostat.limit = limit
    logits = [thousandths / 1000 for thousandths in row]
    expected = naive.zipf_length(list(enumerate(logits)), limit, 150)
    # The formula's result is cut to a whole number; at a border both neighbours are right.
    assert abs(len(mirostat.truncate(Candidates.whole(np.array(logits, np.float32)))) - expected) <= 1


@pytest.mark.parametrize(
    ("row", "limit", "expected"),
    [
        ([1.0], 10.0, 1),
        ([1.0, -np.inf], 10.0, 1),
        ([1.0, 1.0, 1.0], 20.0, 3),
        ([1.0, 1.0, 1.0], -20.0, 1),
        ([0.0, -1e30], 10.0, 1),
        ([1.0, 0.9, -np.inf, -np.inf], 20.0, 4),
    ],
    ids=["one token", "one possible token", "equal, free", "equal, narrow", "far apart", "some banned"],
)
def test_version_1_survives_what_follows_no_law(row: list[float], limit: float, expected: int) -> None:
    mirostat = make(1, n_vocab=3)
    mirostat.limit = limit
    with np.errstate(all="ignore"):
        assert len(mirostat.truncate(Candidates.whole(np.array(row, np.float32)))) == expected


def test_version_1_has_a_limit_value_where_its_formula_has_none() -> None:
    # Probabilities 1/1, 1/2, ... have exponent 1, where the formula divides 0 by 0: k = 2^mu / ln V.
    mirostat = make(1, n_vocab=1000)
    mirostat.limit = 6.0
    assert len(mirostat.truncate(Candidates.whole(zipf(1000, 1.0)))) == int(2**6 / math.log(1000))
    exactly = Candidates(None, np.log(np.array([2.0, 1.0])), is_sorted=True)
    with np.errstate(all="ignore"):
        assert len(mirostat.truncate(exactly)) == 2


@pytest.mark.parametrize("version", [1, 2])
def test_the_surprise_of_a_long_text_comes_to_the_target(version: int) -> None:
    target = 3.0
    mirostat = make(version, target=target)
    random = np.random.default_rng(7)
    candidates = Candidates.whole(zipf(1000, 1.1))
    surprises = []
    for _ in range(800):
        _, probability = (survivors := mirostat.truncate(candidates)).draw(random)
        assert len(survivors) >= 1
        mirostat.observe(probability)
        surprises.append(-math.log2(probability))
    assert float(np.mean(surprises[300:])) == pytest.approx(target, abs=0.2)
