"""Drafts by lookup, and what a step's tokens cost."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.schedule.lookup import MAX_DRAFT, NGRAMS, Drafter
from service.engine.schedule.step_cost import FIRST_PRICE, MAX_PRICE, MIN_PRICE, StepCost

TEXT = list(b"the quick brown fox jumps over the lazy dog. ")


def learned(text: list[int]) -> Drafter:
    """A drafter that has seen a text three times, token by token."""
    drafter = Drafter(text)
    for token in text * 2:
        drafter.push(token)
    return drafter


def test_a_draft_is_what_followed_the_same_words_before() -> None:
    drafter = learned(TEXT)
    for token in b"the quick":
        drafter.push(token)
    assert bytes(drafter.draft(6, MIN_PRICE)) == b" brown"


def test_there_is_no_draft_for_what_was_never_there() -> None:
    drafter = Drafter(b"abcdefgh")
    assert drafter.draft(8, 0.0) == []
    drafter.push(ord("x"))
    assert drafter.draft(8, 0.0) == []


def test_the_newest_of_several_continuations_is_tried() -> None:
    drafter = Drafter(b"abcd1 abcd2 abcd")
    assert bytes(drafter.draft(2, 0.0)) == b"2 "


@pytest.mark.parametrize("limit", [0, 1, 3, 100])
def test_a_draft_is_not_longer_than_asked_for(limit: int) -> None:
    assert len(learned(TEXT).draft(limit, 0.0)) == min(limit, MAX_DRAFT)


def test_a_higher_price_makes_shorter_drafts() -> None:
    drafter = learned(TEXT)
    lengths = [len(drafter.draft(MAX_DRAFT, price)) for price in (0.05, 0.5, 0.9, 0.99, 1.0)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] == MAX_DRAFT
    assert lengths[-1] == 0


def test_wrong_guesses_end_drafts_and_right_ones_bring_them_back() -> None:
    drafter = learned(TEXT)
    source = random.Random(1)
    for _ in range(30):
        # The same pair over and over, each time with another continuation.
        for token in (1, 2, source.randrange(3, 250)):
            drafter.push(token)
    drafter.push(1)
    drafter.push(2)
    assert drafter.draft(8, 0.5) == []
    for token in TEXT * 3:
        drafter.push(token)
    assert drafter.draft(8, 0.5)


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(0, 20))
def test_a_draft_is_a_part_of_the_text_behind_its_last_words(tokens: list[int], limit: int) -> None:
    drafter = Drafter([])
    for token in tokens:
        drafter.push(token)
    draft = drafter.draft(limit, 0.0)
    assert len(draft) <= limit
    ends = [
        tokens[place : place + len(draft)]
        for length in NGRAMS
        for place in range(length, len(tokens))
        if tokens[place - length : place] == tokens[-length:]
    ]
    assert not draft or draft in ends
    assert draft or not limit or not ends


# Cost -----------------------------------------------------------------------------------------------------------------


def test_the_price_before_steps_differ_is_a_guess() -> None:
    cost = StepCost()
    assert cost.price(1) == FIRST_PRICE
    for _ in range(50):
        cost.observe(4, 0.040)
    assert cost.price(4) == FIRST_PRICE


@pytest.mark.parametrize(("step_s", "token_s"), [(0.010, 0.001), (0.005, 0.005), (0.001, 0.004)])
@pytest.mark.parametrize("n_sequences", [1, 4, 8])
def test_the_price_is_that_of_one_token_more(step_s: float, token_s: float, n_sequences: int) -> None:
    cost, source = StepCost(), random.Random(2)
    for _ in range(200):
        n_tokens = source.choice([1, 2, 4, 8])
        cost.observe(n_tokens, step_s + n_tokens * token_s)
    exact = token_s / ((step_s + n_sequences * token_s) / n_sequences)
    assert cost.price(n_sequences) == pytest.approx(min(exact, MAX_PRICE), rel=0.02)


def test_a_step_that_something_else_held_up_does_not_set_the_price() -> None:
    cost, source = StepCost(), random.Random(3)
    for number in range(400):
        n_tokens = source.choice([1, 8])
        cost.observe(n_tokens, (0.010 + 0.001 * n_tokens) * (50 if number % 40 == 39 else 1))
    assert MIN_PRICE < cost.price(1) < 0.5


def test_a_price_stays_in_bounds_whatever_was_measured() -> None:
    cost = StepCost()
    for n_tokens, step_s in ((1, 1.0), (8, 0.0), (1, 0.5), (16, 0.0)):
        cost.observe(n_tokens, step_s)
        assert MIN_PRICE <= cost.price(1) <= MAX_PRICE
