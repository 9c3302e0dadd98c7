"""What is told about a draw."""

from __future__ import annotations

import math

import numpy as np
import pytest

from service.sampling.candidates import Candidates
from service.sampling.report import rank_logprobs, rank_probabilities
from tests.unit.sampling.helpers import LONG, row_of

ROW = np.log(np.array([0.1, 0.5, 0.25, 0.15])).astype(np.float32)


def test_survivors_are_listed_with_their_probabilities() -> None:
    ranking = rank_probabilities(Candidates.whole(ROW), ROW, 2)
    assert [token for token, _ in ranking] == [1, 2]
    assert [probability for _, probability in ranking] == pytest.approx([0.5, 0.25])


def test_dropped_tokens_fill_the_list_with_probability_0() -> None:
    survivors = Candidates.whole(ROW).take(np.array([3, 0]), is_sorted=False)
    ranking = rank_probabilities(survivors, ROW, 4)
    assert [token for token, _ in ranking] == [3, 0, 1, 2]
    assert [probability for _, probability in ranking] == pytest.approx([0.6, 0.4, 0, 0])
    assert rank_probabilities(survivors, ROW, 3) == ranking[:3]


@pytest.mark.parametrize("survivors", [None, Candidates.whole(ROW).first(1), Candidates.whole(ROW)])
def test_the_list_is_never_longer_than_the_vocabulary(survivors: Candidates | None) -> None:
    ranking = rank_probabilities(survivors, ROW, 9)
    assert sorted(token for token, _ in ranking) == [0, 1, 2, 3]


def test_without_survivors_the_highest_tokens_have_probability_0() -> None:
    assert rank_probabilities(None, ROW, 2) == ((1, 0.0), (2, 0.0))


def test_probabilities_are_those_of_all_survivors_not_of_the_list() -> None:
    row = row_of(1, LONG)
    weights = np.exp(row.astype(np.float64))
    ranking = rank_probabilities(Candidates.whole(row), row, 5)
    expected = np.sort(weights)[::-1][:5] / weights.sum()
    assert [probability for _, probability in ranking] == pytest.approx(expected.tolist(), rel=1e-4)


def test_logprobs_are_the_log_softmax_of_the_row() -> None:
    logprob, top = rank_logprobs(ROW + 3, 3, 2)
    assert logprob == pytest.approx(math.log(0.15), abs=1e-5)
    assert [token for token, _ in top] == [1, 2]
    assert [value for _, value in top] == pytest.approx([math.log(0.5), math.log(0.25)], abs=1e-5)


def test_logprobs_of_the_chosen_token_alone() -> None:
    logprob, top = rank_logprobs(ROW, 1, 0)
    assert logprob == pytest.approx(math.log(0.5), abs=1e-5)
    assert top == ()


def test_what_cannot_happen_has_logprob_minus_infinity() -> None:
    row = np.array([0.0, -np.inf], np.float32)
    assert rank_logprobs(row, 1, 2) == (-math.inf, ((0, 0.0), (1, -math.inf)))
    assert rank_logprobs(np.full(2, -np.inf, np.float32), 0, 0) == (-math.inf, ())
