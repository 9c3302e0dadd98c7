"""Each truncating sampler, by hand and against its formula."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from service.sampling.candidates import Candidates
from service.sampling.truncation import min_p, tfs_z, top_k, top_p, typical_p
from tests.unit.sampling import naive
from tests.unit.sampling.helpers import LONG, row_of

Truncation = Callable[[Candidates, float, int], Candidates]
NaiveTruncation = Callable[[naive.Pairs, float, int], naive.Pairs]

# Vocabularies are walked in float32: cuts closer to a border than this may fall on either side.
MARGIN = 1e-5

# Thousandths: far enough apart, or equal.
LOGITS = st.lists(st.integers(-20_000, 20_000).map(lambda thousandths: thousandths / 1000), min_size=1, max_size=60)
BY_MASS: list[tuple[Truncation, NaiveTruncation]] = [
    (top_p, naive.top_p),
    (min_p, naive.min_p),
    (tfs_z, naive.tfs_z),
    (typical_p, naive.typical_p),
]
NAMES = ["top_p", "min_p", "tfs_z", "typical_p"]


def of_probabilities(probabilities: Sequence[float]) -> Candidates:
    with np.errstate(divide="ignore"):
        return Candidates.whole(np.log(np.array(probabilities)).astype(np.float32))


def kept(candidates: Candidates) -> set[int]:
    return set(candidates.ids.tolist())


def pairs_of(row: Sequence[float]) -> naive.Pairs:
    return [(token, float(logit)) for token, logit in enumerate(row)]


def tokens(pairs: naive.Pairs) -> set[int]:
    return {token for token, _ in pairs}


@pytest.mark.parametrize(
    ("k", "min_keep", "expected"),
    [
        (1, 1, [3]),
        (2, 1, [3, 1]),
        (2, 3, [3, 1, 2]),
        (4, 1, [3, 1, 2, 0]),
        (99, 1, [3, 1, 2, 0]),
        (1, 99, [3, 1, 2, 0]),
    ],
)
def test_top_k_keeps_the_highest_logits_sorted(k: int, min_keep: int, expected: list[int]) -> None:
    candidates = Candidates.whole(np.array([-1.0, 2.0, 0.0, 5.0], np.float32))
    assert top_k(candidates, k, min_keep).ids.tolist() == expected


def test_top_k_takes_the_lower_ids_of_equal_logits() -> None:
    candidates = Candidates.whole(np.array([1.0, 2.0, 1.0, 1.0], np.float32))
    assert top_k(candidates, 3, 1).ids.tolist() == [1, 0, 2]


@pytest.mark.parametrize(
    ("p", "min_keep", "expected"),
    [
        (0.0, 1, {0}),
        (0.45, 1, {0}),
        (0.55, 1, {0, 1}),
        (0.85, 1, {0, 1, 2}),
        (0.95, 1, {0, 1, 2, 3}),
        (0.45, 3, {0, 1, 2}),
        (0.45, 9, {0, 1, 2, 3}),
    ],
)
def test_top_p_keeps_the_head_that_reaches_p(p: float, min_keep: int, expected: set[int]) -> None:
    assert kept(top_p(of_probabilities([0.5, 0.3, 0.1, 0.1]), p, min_keep)) == expected


@pytest.mark.parametrize(
    ("p", "min_keep", "expected"),
    [(0.01, 1, {0, 1, 2, 3}), (0.35, 1, {0, 1}), (0.5, 1, {0, 1}), (0.7, 1, {0}), (2.0, 1, {0}), (0.7, 3, {0, 1, 2})],
)
def test_min_p_keeps_what_has_a_share_of_the_best(p: float, min_keep: int, expected: set[int]) -> None:
    assert kept(min_p(of_probabilities([0.5, 0.3, 0.15, 0.05]), p, min_keep)) == expected


# d = 0.2, 0.1, 0.05, 0.05; s = 0.1, 0.05, 0; divided by their sum: 2/3, 1/3, 0.
@pytest.mark.parametrize(
    ("z", "min_keep", "expected"),
    [
        (0.5, 1, {0}),
        (0.7, 1, {0}),
        (0.5, 2, {0, 1}),
        (0.5, 3, {0, 1, 2, 3, 4}),
        (0.0, 1, {0}),
    ],
)
def test_tail_free_cuts_where_the_curve_flattens(z: float, min_keep: int, expected: set[int]) -> None:
    assert kept(tfs_z(of_probabilities([0.45, 0.25, 0.15, 0.1, 0.05]), z, min_keep)) == expected


def test_tail_free_cuts_a_straight_line_by_length() -> None:
    # All second differences are 0, so each of the eight counts an eighth.
    assert kept(tfs_z(of_probabilities([0.1] * 10), 0.5, 1)) == {0, 1, 2, 3}
    # A bend of a ten-millionth counts as straight.
    assert kept(tfs_z(of_probabilities([0.1 + 1e-7, *[0.1] * 9]), 0.5, 1)) == {0, 1, 2, 3}


@pytest.mark.parametrize("size", [1, 2])
def test_tail_free_needs_three_candidates(size: int) -> None:
    assert len(tfs_z(of_probabilities([0.9, 0.1][:size]), 0.0, 1)) == size


# H = 1.168 nats; -ln p = 0.693, 1.204, 1.897, 2.996, so the distances are 0.475, 0.036, 0.729, 1.828.
@pytest.mark.parametrize(
    ("p", "min_keep", "expected"),
    [
        (0.2, 1, [1]),
        (0.29, 1, [1]),
        (0.31, 1, [1, 0]),
        (0.81, 1, [1, 0, 2]),
        (0.2, 3, [1, 0, 2]),
        (0.0, 1, [1]),
        (0.2, 9, [0, 1, 2, 3]),
    ],
)
def test_typical_keeps_what_surprises_as_expected(p: float, min_keep: int, expected: list[int]) -> None:
    assert typical_p(of_probabilities([0.5, 0.3, 0.15, 0.05]), p, min_keep).ids.tolist() == expected


def test_typical_may_drop_the_best() -> None:
    # One token at 0.3 and 700 at 0.001: the expected surprise is near that of the many.
    survivors = typical_p(of_probabilities([0.3] + [0.001] * 700), 0.2, 1)
    assert 0 not in kept(survivors)
    assert not survivors.is_sorted


@settings(deadline=None)
@given(row=LOGITS, k=st.integers(1, 70), min_keep=st.integers(1, 5))
def test_top_k_agrees_with_its_formula(row: list[float], k: int, min_keep: int) -> None:
    survivors = top_k(Candidates.whole(np.array(row, np.float32)), k, min_keep)
    assert survivors.ids.tolist() == [token for token, _ in naive.top_k(pairs_of(row), k, min_keep)]


@pytest.mark.parametrize("is_sorted", [False, True])
@pytest.mark.parametrize(("sampler", "formula"), BY_MASS, ids=NAMES)
@settings(deadline=None)
@given(row=LOGITS, value=st.floats(0.001, 0.999), min_keep=st.integers(1, 5))
def test_truncation_agrees_with_its_formula(
    sampler: Truncation, formula: NaiveTruncation, is_sorted: bool, row: list[float], value: float, min_keep: int
) -> None:
    pairs = pairs_of(row)
    expected = tokens(formula(pairs, value, min_keep))
    for border in (value - MARGIN, value + MARGIN):
        assume(tokens(formula(pairs, border, min_keep)) == expected)
    candidates = Candidates.whole(np.array(row, np.float32))
    survivors = sampler(candidates.first(len(row)) if is_sorted else candidates, value, min_keep)
    if sampler is typical_p:
        # Equal distances may stand in either order, so that of equal logits either may be the last one kept.
        assert sorted(row[token] for token in kept(survivors)) == sorted(row[token] for token in expected)
    else:
        assert kept(survivors) == expected


@pytest.mark.parametrize("value", [0.0137, 0.3731, 0.9137, 0.99913])
@pytest.mark.parametrize(("sampler", "formula"), BY_MASS, ids=NAMES)
def test_truncation_of_a_whole_vocabulary_agrees_with_its_formula(
    sampler: Truncation, formula: NaiveTruncation, value: float
) -> None:
    row = row_of(11, LONG)
    survivors = sampler(Candidates.whole(row), value, 1)
    assert kept(survivors) == tokens(formula(pairs_of(row.tolist()), value, 1))


@pytest.mark.parametrize(("sampler", "formula"), BY_MASS, ids=NAMES)
def test_candidates_stay_as_they_were(sampler: Truncation, formula: NaiveTruncation) -> None:
    row = row_of(5, 50)
    before = row.copy()
    sampler(Candidates.whole(row), 0.5, 1)
    assert row.tolist() == before.tolist()
