"""The penalty of repeated sequences, DRY."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.sampling.dry import RepeatedSequences, repeated_sequences
from service.sampling.rows import sample_rows
from tests.unit.sampling.helpers import GREEDY, make

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

A, B, C, X, Y = 3, 4, 5, 6, 7
N_VOCAB = 12


def window(tokens: Sequence[int], **options: Any) -> RepeatedSequences:
    defaults: dict[str, Any] = {"length": 64, "multiplier": 1.0, "base": 2.0, "allowed_length": 2, "breakers": {}}
    return RepeatedSequences(tokens, **(defaults | options))


def penalties(repeated: RepeatedSequences) -> dict[int, float]:
    """What tokens lose."""
    row = np.zeros(N_VOCAB, np.float32)
    repeated.apply(row)
    return {token: -float(row[token]) for token in np.flatnonzero(row).tolist()}


def naive_penalties(
    tokens: Sequence[int], length: int, allowed: int, breakers: Mapping[int, tuple[tuple[int, ...], ...]]
) -> dict[int, float]:
    """The same, straight from the definition."""
    seen = list(tokens[-length:])
    longest = len(seen)
    for behind in range(len(seen)):
        place = len(seen) - 1 - behind
        tails = [len(t) for t in breakers.get(seen[place], ()) if tuple(seen[place + 1 : place + 1 + len(t)]) == t]
        if tails:
            longest = behind - max(tails)
            break
    if len(seen) <= allowed or longest < allowed:
        return {}
    most: dict[int, int] = {}
    for end in range(len(seen) - 1):
        n = 0
        while n <= end and n < longest and seen[end - n] == seen[len(seen) - 1 - n]:
            n += 1
        if n >= allowed:
            token = seen[end + 1]
            most[token] = max(most.get(token, 0), n)
    return {
        token: 2.0 ** min(n - allowed, int(88.7228391 / math.log(2)))
        for token, n in most.items()
        if () not in breakers.get(token, ())
    }


@pytest.mark.parametrize(
    ("tokens", "options", "expected"),
    [
        ([A, B, C, X, A, B], {}, {C: 1.0}),
        ([A, B, C, X, A, B, C], {}, {X: 2.0}),
        ([A, B, C, X, A, B], {"allowed_length": 3}, {}),
        ([A, B, C, X, A, B], {"allowed_length": 1}, {C: 2.0}),
        ([A, B, C, X, A, B], {"multiplier": 0.5, "base": 1.0}, {C: 0.5}),
        # Of two copies the longer one counts.
        ([X, A, B, C, Y, A, B, C, X, A, B], {}, {C: 2.0}),
        # The window does not reach back far enough.
        ([A, B, C, X, A, B], {"length": 5}, {}),
        # A breaker between, and one that would go on.
        ([A, B, C, X, A, Y, B], {"allowed_length": 1, "breakers": {Y: ((),)}}, {C: 1.0}),
        ([A, B, C, X, A, B], {"breakers": {C: ((),)}}, {}),
        ([A, B, C, X, A, B], {"breakers": {B: ((),)}}, {}),
        # A breaker of two tokens.
        ([X, A, B, C, Y, X, A, B], {"allowed_length": 1, "breakers": {X: ((A,),)}}, {C: 1.0}),
        ([A], {}, {}),
        ([], {}, {}),
    ],
)
def test_what_goes_on_with_a_copy_is_penalised(
    tokens: list[int], options: dict[str, Any], expected: dict[int, float]
) -> None:
    assert penalties(window(tokens, **options)) == pytest.approx(expected)


BREAKERS = st.dictionaries(
    st.integers(0, 3), st.lists(st.lists(st.integers(0, 3), max_size=2).map(tuple), min_size=1, max_size=2).map(tuple)
)


@given(
    prompt=st.lists(st.integers(0, 3), max_size=20),
    answer=st.lists(st.integers(0, 3), max_size=60),
    length=st.integers(1, 25),
    allowed=st.integers(0, 4),
    breakers=BREAKERS,
)
def test_a_growing_text_agrees_with_the_definition(
    prompt: list[int],
    answer: list[int],
    length: int,
    allowed: int,
    breakers: dict[int, tuple[tuple[int, ...], ...]],
) -> None:
    repeated = window(prompt, length=length, allowed_length=allowed, breakers=breakers)
    tokens = list(prompt)
    for token in answer:
        repeated.accept(token)
        tokens.append(token)
    assert penalties(repeated) == pytest.approx(naive_penalties(tokens, length, allowed, breakers))


def test_endless_repetition_makes_tokens_unlikely_and_bans_none() -> None:
    repeated = window([A, B] * 400, length=800, multiplier=1e30, base=10.0)
    row = np.zeros(N_VOCAB, np.float32)
    repeated.apply(row)
    assert np.isfinite(row).all()
    assert row[A] < -1e37


def test_greedy_answers_leave_a_loop() -> None:
    options = replace(GREEDY, dry_multiplier=2.0, dry_allowed_length=2)
    prompt = [A, B, A, B, A, B]
    row = np.zeros(N_VOCAB, np.float32)
    row[[A, X]] = [3.0, 2.0]
    assert make(GREEDY, n_vocab=N_VOCAB, prompt=prompt).sample(row.copy()).id == A
    assert make(options, n_vocab=N_VOCAB, prompt=prompt).sample(row.copy()).id == X


def test_rows_that_are_sampled_together_are_penalised_each_by_its_own_text() -> None:
    options = replace(GREEDY, dry_multiplier=2.0, seed=1)
    prompts = ([A, B, A, B, A, B], [X, Y, X, Y, X, Y], [A, A, B])
    samplers = [make(options, n_vocab=N_VOCAB, prompt=prompt) for prompt in prompts]
    row = np.zeros(N_VOCAB, np.float32)
    row[[A, X]] = [3.0, 2.5]
    matrix = np.stack([row] * 3)
    outcomes = sample_rows(matrix, [(number, sampler, False) for number, sampler in enumerate(samplers)])
    alone = [make(options, n_vocab=N_VOCAB, prompt=prompt).sample(row.copy()) for prompt in prompts]
    assert outcomes == alone
    assert [one.id for one in alone] == [X, A, A]


@pytest.mark.parametrize(
    "options", [{"dry_multiplier": 0.0}, {"dry_multiplier": 1.0, "dry_base": 0.5}, {"dry_penalty_last_n": 0}]
)
def test_it_can_be_off(options: dict[str, Any]) -> None:
    settings = replace(GREEDY, **({"dry_multiplier": 1.0} | options))
    assert repeated_sequences(settings, n_ctx=64, prompt=[A]) is None
