"""Penalties: window, counts and formula."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.sampling.penalties import PenaltyWindow
from service.sampling.settings import SamplingSettings
from tests.unit.sampling import naive

if TYPE_CHECKING:
    from collections.abc import Sequence

N_VOCAB = 8
NL_TOKEN = 3
ROW = (2.0, -2.0, 0.0, 4.0, -4.0, 0.5, 8.0, -8.0)


def window(history: Sequence[int], options: SamplingSettings) -> PenaltyWindow:
    return PenaltyWindow(
        history,
        length=options.repeat_last_n,
        n_vocab=N_VOCAB,
        repeat=options.repeat_penalty,
        frequency=options.frequency_penalty,
        presence=options.presence_penalty,
        exempt=None if options.penalize_nl else NL_TOKEN,
    )


def penalised(history: Sequence[int], options: SamplingSettings) -> list[float]:
    logits = np.array(ROW, np.float32)
    window(history, options).apply(logits)
    return [float(logit) for logit in logits]


@pytest.mark.parametrize(
    ("history", "options", "changed"),
    [
        ([], SamplingSettings(repeat_penalty=2.0), {}),
        ([0], SamplingSettings(repeat_penalty=2.0), {0: 1.0}),
        ([1], SamplingSettings(repeat_penalty=2.0), {1: -4.0}),
        ([2], SamplingSettings(repeat_penalty=2.0), {2: 0.0}),
        ([0, 0, 0], SamplingSettings(repeat_penalty=2.0), {0: 1.0}),
        ([0], SamplingSettings(repeat_penalty=0.5), {0: 4.0}),
        ([0, 0, 6], SamplingSettings(repeat_penalty=1.0, frequency_penalty=0.5), {0: 1.0, 6: 7.5}),
        ([0, 0, 6], SamplingSettings(repeat_penalty=1.0, presence_penalty=0.5), {0: 1.5, 6: 7.5}),
        ([0, 0], SamplingSettings(repeat_penalty=2.0, frequency_penalty=1.0, presence_penalty=0.5), {0: -1.5}),
        ([0], SamplingSettings(repeat_penalty=1.0, frequency_penalty=-1.0), {0: 3.0}),
        ([0, 5, 6], SamplingSettings(repeat_penalty=2.0, repeat_last_n=2), {5: 0.25, 6: 4.0}),
        ([3, 3], SamplingSettings(repeat_penalty=2.0), {3: 2.0}),
        ([3, 0], SamplingSettings(repeat_penalty=2.0, penalize_nl=False), {0: 1.0}),
        ([0, 3], SamplingSettings(repeat_penalty=2.0, penalize_nl=False, repeat_last_n=1), {}),
    ],
    ids=[
        "no history",
        "positive is divided",
        "negative is multiplied",
        "zero stays",
        "repeat ignores counts",
        "below 1 favours",
        "frequency counts",
        "presence does not count",
        "all together",
        "negative frequency favours",
        "window is short",
        "newline",
        "newline is exempt",
        "exempt newline fills the window",
    ],
)
def test_penalties_by_hand(history: list[int], options: SamplingSettings, changed: dict[int, float]) -> None:
    expected = list(ROW)
    for token, logit in changed.items():
        expected[token] = logit
    assert penalised(history, options) == pytest.approx(expected)


@settings(deadline=None)
@given(
    history=st.lists(st.integers(0, N_VOCAB - 1), max_size=12),
    generated=st.lists(st.integers(0, N_VOCAB - 1), max_size=30),
    options=st.builds(
        SamplingSettings,
        repeat_last_n=st.integers(1, 14),
        repeat_penalty=st.sampled_from([1.0, 1.1, 2.0, 0.5]),
        frequency_penalty=st.sampled_from([0.0, 0.25, -1.0]),
        presence_penalty=st.sampled_from([0.0, 0.5]),
        penalize_nl=st.booleans(),
    ),
)
def test_the_window_slides_over_prompt_and_answer(
    history: list[int], generated: list[int], options: SamplingSettings
) -> None:
    penalties = window(history, options)
    seen = list(history)
    for token in [*generated, None]:
        logits = np.array(ROW, np.float32)
        penalties.apply(logits)
        expected = naive.penalise(ROW, seen[-options.repeat_last_n :], options, NL_TOKEN)
        assert logits.tolist() == pytest.approx(expected, abs=1e-5)
        if token is not None:
            penalties.accept(token)
            seen.append(token)


def test_banned_and_huge_logits_are_penalised_without_harm() -> None:
    options = SamplingSettings(repeat_penalty=1.5, frequency_penalty=1.0)
    logits = np.array([-np.inf, 1e30, -1e30, 0, 0, 0, 0, 0], np.float32)
    window([0, 1, 2], options).apply(logits)
    assert logits[:3].tolist() == pytest.approx([-np.inf, 1e30 / 1.5, -1.5e30])


@pytest.mark.parametrize(
    "options",
    [
        SamplingSettings(repeat_penalty=1e-45),
        SamplingSettings(repeat_penalty=1.0, frequency_penalty=-3e38, presence_penalty=-3e38),
        SamplingSettings(repeat_penalty=1e-45, frequency_penalty=3e38, presence_penalty=3e38),
        SamplingSettings(repeat_penalty=1e-45, frequency_penalty=-3e38),
    ],
)
def test_extreme_penalties_leave_logits_to_choose_from(options: SamplingSettings) -> None:
    logits = np.array([-np.inf, 8, -8, 1, 0, 0, 0, 0], np.float32)
    with np.errstate(all="ignore"):
        window([0, 0, 1, 1, 2, 2], options).apply(logits)
    assert logits[0] == -np.inf
    assert np.all(logits < np.inf)
    assert logits[3] == 1
