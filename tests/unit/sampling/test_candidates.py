"""Finding the best candidates, and drawing one."""

from __future__ import annotations

from unittest.mock import Mock

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.sampling.candidates import Candidates, descending_heads, entropy, largest
from tests.unit.sampling.helpers import LONG, row_of


def sorted_places(row: npt.NDArray[np.float32]) -> list[int]:
    return sorted(range(len(row)), key=lambda place: (-float(row[place]), place))


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.sampled_from([1, 2, 3, 5, 100, 8191, 8192, 8193, LONG]),
    n=st.sampled_from([1, 2, 40, 512, 513, 5000, LONG, LONG + 1]),
    step=st.sampled_from([0.0, 0.5, 100.0]),
)
def test_the_largest_values_are_found_in_order_whatever_the_size(seed: int, size: int, n: int, step: float) -> None:
    row = row_of(seed, size, step=step)
    assert largest(row, n).tolist() == sorted_places(row)[:n]


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=40), st.integers(1, 45))
def test_the_largest_values_are_found_among_any_floats(values: list[float], n: int) -> None:
    row = np.array(values, np.float32)
    assert largest(row, n).tolist() == sorted_places(row)[:n]


def test_banned_tokens_come_last() -> None:
    row = np.full(LONG, -np.inf, np.float32)
    row[[7, 9_000, 20_010]] = [1.0, 3.0, 2.0]
    assert largest(row, 5).tolist() == [9_000, 20_010, 7, 0, 1]


@pytest.mark.parametrize("size", [1, 127, 128, 129, LONG])
def test_heads_grow_until_they_hold_everything(size: int) -> None:
    row = row_of(3, size)
    heads = [head.tolist() for head in descending_heads(row)]
    order = sorted_places(row)
    assert [order[: len(head)] for head in heads] == heads
    lengths = [len(head) for head in heads]
    assert lengths == sorted(set(lengths))
    assert lengths[-1] == size


def test_a_selection_keeps_tokens_with_their_logits() -> None:
    whole = Candidates.whole(np.array([0.5, 2.0, -1.0, 2.0], np.float32))
    best = whole.first(3)
    assert best.ids.tolist() == [1, 3, 0]
    assert best.logits.tolist() == [2.0, 2.0, 0.5]
    assert best.is_sorted
    again = best.take(np.array([2, 0]), is_sorted=False)
    assert [again.token(0), again.token(1)] == [0, 1]
    assert again.first(1).ids.tolist() == [1]
    assert whole.ids.tolist() == [0, 1, 2, 3]
    assert whole.token(2) == 2


def test_probabilities_are_a_softmax() -> None:
    candidates = Candidates.whole(np.log([0.1, 0.2, 0.7]).astype(np.float32))
    assert candidates.probabilities() == pytest.approx([0.1, 0.2, 0.7], abs=1e-6)


def test_probabilities_of_huge_logits_do_not_overflow() -> None:
    candidates = Candidates.whole(np.array([1e30, 1e30, -1e30, -np.inf], np.float32))
    assert candidates.probabilities().tolist() == [0.5, 0.5, 0.0, 0.0]


@pytest.mark.parametrize(("probabilities", "expected"), [([1.0, 0.0], 0.0), ([0.25] * 4, np.log(4)), ([1.0], 0.0)])
def test_entropy_counts_what_is_possible(probabilities: list[float], expected: float) -> None:
    assert entropy(np.array(probabilities)) == pytest.approx(expected)


def test_draws_follow_the_distribution() -> None:
    probabilities = np.array([0.4, 0.0, 0.3, 0.15, 0.1, 0.04, 0.01])
    with np.errstate(divide="ignore"):
        candidates = Candidates.whole(np.log(probabilities).astype(np.float32))
    random = np.random.default_rng(12345)
    draws = 20_000
    counts = np.bincount([candidates.draw(random)[0] for _ in range(draws)], minlength=len(probabilities))
    assert counts[1] == 0
    possible = probabilities > 0
    expected = draws * probabilities[possible]
    chi_square = float(((counts[possible] - expected) ** 2 / expected).sum())
    # Five degrees of freedom: a right sampler exceeds this once in a thousand seeds, and this seed is fixed.
    assert chi_square < 20.5


def test_a_draw_tells_the_probability_of_its_token() -> None:
    candidates = Candidates.whole(np.log([0.25, 0.75]).astype(np.float32))
    random = np.random.default_rng(1)
    told = {candidates.draw(random) for _ in range(50)}
    assert dict(told) == pytest.approx({0: 0.25, 1: 0.75})


@pytest.mark.parametrize(
    ("number", "token"),
    [(0.0, 1), (0.49, 1), (0.5, 3), (np.nextafter(1.0, 0.0), 3)],
    ids=["lowest", "below the border", "on the border", "highest"],
)
def test_a_draw_never_takes_a_banned_token(number: float, token: int) -> None:
    candidates = Candidates.whole(np.array([-np.inf, 1.0, -np.inf, 1.0, -np.inf], np.float32))
    random = Mock(spec=np.random.Generator)
    random.random.return_value = number
    assert candidates.draw(random)[0] == token
