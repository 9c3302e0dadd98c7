"""Statistics over samples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.harness.stats import gaps_within, median, pair_differences, pair_ratios, percentile


@pytest.mark.parametrize(
    ("samples", "percent", "expected"),
    [
        ([7.0], 99, 7.0),
        ([3.0, 1.0, 2.0], 0, 1.0),
        ([3.0, 1.0, 2.0], 100, 3.0),
        ([1.0, 2.0, 3.0, 4.0], 50, 2.5),
        ([0.0, 10.0], 95, 9.5),
    ],
)
def test_percentile_interpolates_between_ordered_samples(samples: list[float], percent: float, expected: float) -> None:
    assert percentile(samples, percent) == pytest.approx(expected)


@pytest.mark.parametrize(("samples", "percent"), [([], 50), ([1.0], -1), ([1.0], 100.5)])
def test_percentile_refuses_what_has_no_answer(samples: list[float], percent: float) -> None:
    with pytest.raises(ValueError, match=r"samples|percent"):
        percentile(samples, percent)


@given(st.lists(st.floats(0.1, 1e6), min_size=2), st.integers(0, 1000))
def test_one_wild_sample_moves_the_median_no_further_than_to_a_neighbour(samples: list[float], index: int) -> None:
    ordered = sorted(samples)
    wild = list(samples)
    wild[index % len(wild)] = 1e12
    middle = len(ordered) // 2
    assert ordered[max(middle - 1, 0)] <= median(wild)
    assert len(samples) < 3 or median(wild) <= ordered[min(middle + 1, len(ordered) - 1)]


def test_gaps_that_reach_into_the_span_count_in_full() -> None:
    arrivals = [0.0, 1.0, 3.0, 6.0, 10.0, 11.0]
    assert gaps_within(arrivals, 2.0, 7.0) == (2.0, 3.0, 4.0)
    assert gaps_within(arrivals, 3.0, 6.0) == (3.0,)
    assert gaps_within(arrivals, 20.0, 30.0) == ()


def test_pairs_are_compared_within_their_round() -> None:
    assert pair_ratios([10.0, 50.0], [5.0, 100.0]) == (2.0, 0.5)
    assert pair_differences([10.0, 50.0], [5.0, 100.0]) == (5.0, -50.0)


def test_pairs_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        pair_ratios([1.0, 2.0], [1.0])
