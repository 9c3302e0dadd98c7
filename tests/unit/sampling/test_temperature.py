"""Fixed and entropy-scaled temperature."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.sampling.candidates import Candidates
from service.sampling.temperature import dynamic_temperature, temperature
from tests.unit.sampling import naive


def whole(row: list[float]) -> Candidates:
    return Candidates.whole(np.array(row, np.float32))


@pytest.mark.parametrize(("t", "odds"), [(1.0, 3.0), (0.5, 9.0), (2.0, math.sqrt(3.0))])
def test_temperature_raises_odds_to_its_inverse(t: float, odds: float) -> None:
    probabilities = temperature(whole([0.0, math.log(3.0)]), t).probabilities()
    assert probabilities[1] / probabilities[0] == pytest.approx(odds, rel=1e-5)


def test_a_tiny_temperature_leaves_only_the_best() -> None:
    with np.errstate(over="ignore"):
        probabilities = temperature(whole([30.0, 29.999, -1e30]), 1e-38).probabilities()
    assert probabilities.tolist() == [1.0, 0.0, 0.0]


def test_a_banned_token_stays_banned_at_any_temperature() -> None:
    for hot in (temperature(whole([1.0, 0.0, -np.inf]), math.inf), temperature(whole([1.0, 0.0, -np.inf]), 1e30)):
        assert hot.probabilities() == pytest.approx([0.5, 0.5, 0.0])


def test_dynamic_temperature_of_a_certain_token_is_the_lower_end() -> None:
    # Entropy 0: t = 1.5 - 1, and 1.5 - 2 is cut off at 0, which is greedy.
    assert dynamic_temperature(whole([0.0, -np.inf, -np.inf]), 1.5, 1.0, 1.0).logits.tolist() == [0, -np.inf, -np.inf]
    assert dynamic_temperature(whole([0.0, -np.inf, -np.inf]), 1.5, 2.0, 1.0).ids.tolist() == [0]


def test_dynamic_temperature_of_equal_tokens_is_the_upper_end() -> None:
    # Entropy ln 3 among three: t = 0.5 + 0.5 = 1 whatever the exponent, so the tokens stay equal.
    result = dynamic_temperature(whole([4.0, 4.0, 4.0]), 0.5, 0.5, 3.0)
    assert result.probabilities() == pytest.approx([1 / 3] * 3)


def test_dynamic_temperature_leaves_a_single_candidate_alone() -> None:
    assert dynamic_temperature(whole([7.0]), 0.1, 5.0, 1.0).logits.tolist() == [7.0]


def test_a_negative_exponent_of_no_entropy_is_as_hot_as_can_be() -> None:
    with np.errstate(divide="ignore"):
        result = dynamic_temperature(whole([0.0, -200.0, -np.inf]), 1.0, 0.5, -1.0)
    assert result.probabilities() == pytest.approx([0.5, 0.5, 0.0])


@settings(deadline=None)
@given(
    row=st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=40),
    centre=st.floats(0.1, 3.0),
    half_width=st.floats(0.01, 3.0),
    exponent=st.floats(0.25, 4.0),
)
def test_dynamic_temperature_agrees_with_its_formula(
    row: list[float], centre: float, half_width: float, exponent: float
) -> None:
    result = dynamic_temperature(whole(row), centre, half_width, exponent)
    expected = naive.dynamic_temperature(list(enumerate(row)), centre, half_width, exponent)
    assert result.probabilities() == pytest.approx(naive.softmax(expected), abs=1e-3)
