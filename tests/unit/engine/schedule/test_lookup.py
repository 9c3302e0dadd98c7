"""Drafts by lookup, and what a step's tokens cost."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.schedule.lookup import FIRST_CHANCES, MIN_MATCH, MIN_RESUMED, Repetition
from service.engine.schedule.step_cost import FIRST_PRICE, MAX_AGE, StepCost

TEXT = list(b"the quick brown fox jumps over the lazy dog. ")


def pushed(prompt: bytes, more: bytes = b"") -> Repetition:
    """A drafter that has seen a prompt at once, and more token by token."""
    drafter = Repetition(prompt)
    for token in more:
        drafter.push(token)
    return drafter


def test_a_draft_is_what_followed_the_same_words_before() -> None:
    assert bytes(pushed(bytes(TEXT), b"the quick").draft(6)) == b" brown"


def test_there_is_no_draft_for_what_was_never_there() -> None:
    drafter = Repetition(b"abcdefgh")
    assert (drafter.has_guess, drafter.draft(8), drafter.expected([3, 7])) == (False, [], [0.0, 0.0])
    drafter.push(ord("x"))
    assert (drafter.has_guess, drafter.draft(8)) == (False, [])


@pytest.mark.parametrize("split", range(16))
def test_the_newest_of_several_continuations_is_tried(split: int) -> None:
    text = b"abcd1 abcd2 abcd"
    assert bytes(pushed(text[:split], text[split:]).draft(2)) == b"2 "


def test_what_repeats_itself_goes_on_so() -> None:
    assert bytes(pushed(b"xyzabcabc").draft(8)) == b"abcabcab"


def test_a_repetition_goes_on_behind_one_changed_token() -> None:
    text = b"0123456789 abcdefgh"
    drafter = pushed(text, b"0123456789#")
    assert bytes(drafter.draft(4)) == b"abcd"
    drafter = pushed(text, text[: MIN_RESUMED - 1 - MIN_MATCH] + b"#")
    assert not drafter.has_guess


def test_a_longer_match_promises_more() -> None:
    text = bytes(range(100))
    expected = [pushed(text, text[:length]).expected([3])[0] for length in (3, 4, 8, 16, 32)]
    assert expected == sorted(expected)
    assert expected[-1] == pytest.approx(sum(FIRST_CHANCES[-1] ** power for power in (1, 2, 3)), rel=0.02)


def test_wrong_guesses_promise_less_and_right_ones_more() -> None:
    drafter, source = Repetition(TEXT), random.Random(1)
    for _ in range(60):
        # The same three tokens over and over, each time with another continuation.
        for token in (1, 2, 3, source.randrange(4, 250)):
            drafter.push(token)
    for token in (1, 2, 3):
        drafter.push(token)
    assert drafter.has_guess
    assert drafter.expected([7])[0] < 0.1
    for token in TEXT * 3:
        drafter.push(token)
    assert drafter.expected([7])[0] > 6


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(0, 60), st.integers(0, 20))
def test_a_draft_goes_on_as_the_text_did_before(tokens: list[int], split: int, length: int) -> None:
    drafter = Repetition(tokens[:split])
    for token in tokens[split:]:
        drafter.push(token)
    draft = drafter.draft(length)
    assert len(draft) == (length if drafter.has_guess else 0)
    text = [*tokens, *draft]
    n_tokens = len(tokens)
    assert not draft or any(text[start : start + length] == draft for start in range(1, n_tokens))


@given(st.lists(st.integers(0, 30), min_size=4, max_size=300))
def test_what_was_said_before_is_found(tokens: list[int]) -> None:
    last = tokens[-MIN_MATCH:]
    was_there = any(tokens[start : start + MIN_MATCH] == last for start in range(len(tokens) - MIN_MATCH))
    drafter = Repetition(tokens)
    # Two hashes may be equal, so that the newer one is found alone; hardly ever with so few tokens.
    assert drafter.has_guess == was_there or len(set(tokens)) > 8


def test_many_tokens_are_as_quickly_found_as_few() -> None:
    source = random.Random(5)
    text = [source.randrange(50_000) for _ in range(20_000)]
    drafter = Repetition(text[:100])
    for token in text[100:]:
        drafter.push(token)
    assert not drafter.has_guess
    for token in text[700:720]:
        drafter.push(token)
    assert drafter.draft(30) == text[720:750]


# Cost -----------------------------------------------------------------------------------------------------------------


def test_the_cost_before_a_try_is_a_guess() -> None:
    cost = StepCost()
    assert not cost.is_known(4)
    for _ in range(50):
        assert cost.observe(4, 0, 0.040) == 1.0
    assert cost.is_known(4)
    assert cost.ratio(4, 12) == 1.0 + FIRST_PRICE * 3


def test_each_number_of_tokens_has_a_cost_of_its_own() -> None:
    times, cost = {3: 0.036, 7: 0.061, 15: 0.113, 0: 0.011}, StepCost()
    cost.observe(1, 0, times[0])
    for _ in range(40):
        for n_drafted, step_s in times.items():
            cost.observe(1, n_drafted, step_s)
    for n_drafted in (3, 7, 15):
        assert cost.ratio(1, n_drafted) == pytest.approx(times[n_drafted] / times[0])
    assert cost.ratio(1, 31) == pytest.approx(1 + (0.113 / 0.011 - 1) * 31 / 15)


def test_a_slower_machine_changes_no_ratio() -> None:
    cost = StepCost()
    for factor in (1.0, 4.0):
        for _ in range(100):
            cost.observe(1, 0, 0.010 * factor)
        for _ in range(3):
            cost.observe(1, 7, 0.030 * factor)
    assert cost.ratio(1, 7) == pytest.approx(3.0, rel=0.01)


def test_a_step_that_something_else_held_up_does_not_set_the_cost() -> None:
    cost = StepCost()
    for number in range(400):
        factor = 50 if number % 40 == 39 else 1
        cost.observe(1, 0, 0.010)
        cost.observe(1, 7, 0.030 * factor)
    assert cost.ratio(1, 7) < 5


def test_the_first_step_behind_a_draft_is_a_part_of_its_cost() -> None:
    cost = StepCost()
    cost.observe(1, 0, 0.010)
    cost.observe(1, 7, 0.030)
    assert cost.observe(1, 0, 0.012) == pytest.approx(1.2)
    assert cost.ratio(1, 7) == pytest.approx(3.0)
    assert cost.observe(1, 0, 0.010) == 1.0


def test_old_measurements_are_forgotten() -> None:
    cost = StepCost()
    cost.observe(1, 0, 0.010)
    cost.observe(1, 7, 1.0)
    assert cost.ratio(1, 7) == pytest.approx(100)
    for _ in range(MAX_AGE + 1):
        cost.observe(1, 0, 0.010)
    assert cost.ratio(1, 7) == 1.0 + FIRST_PRICE * 7


def test_a_draft_is_never_free() -> None:
    cost = StepCost()
    cost.observe(1, 0, 1.0)
    cost.observe(1, 7, 0.0)
    assert cost.ratio(1, 7) == 1.0
