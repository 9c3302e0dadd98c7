"""Sampling several rows at once gives what each gives alone."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.sampling.heads import find_heads
from service.sampling.rows import sample_rows
from service.sampling.sampler import SampledToken, Sampler, UnusableLogits
from service.sampling.settings import SamplerName, SamplingSettings
from tests.unit.sampling.helpers import EOG, LONG, NL_TOKEN, row_of

if TYPE_CHECKING:
    import numpy.typing as npt

#: What requests ask for: the common chain with other values, and what cannot be done together.
OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"temperature": 1.3, "top_p": 0.6, "min_p": 0.2, "repeat_penalty": 1.4},
    {"top_p": 0.99, "min_p": 0.0, "min_keep": 3, "n_probs": 5},
    {"temperature": 1.0, "repeat_penalty": 1.0, "top_logprobs": 2},
    {"top_k": 7, "min_keep": 9},
    {"samplers": (SamplerName.TOP_K, SamplerName.TEMPERATURE, SamplerName.TOP_P, SamplerName.MIN_P)},
    {"samplers": (SamplerName.TOP_K, SamplerName.MIN_P, SamplerName.TOP_P)},
    {"frequency_penalty": 0.4, "presence_penalty": 0.2},
    {"logit_bias": ((5, 30.0), (6, -math.inf)), "ignore_eos": True},
    {"temperature": 0.0},
    {"mirostat": 2},
    {"top_k": 0},
)


def samplers(chosen: list[int], n_vocab: int) -> list[Sampler]:
    return [
        Sampler(
            replace(SamplingSettings(seed=place), **OPTIONS[option]),
            n_vocab=n_vocab,
            nl_token=NL_TOKEN,
            eog_tokens=EOG,
            n_ctx=64,
            prompt=[(place * 7 + n) % n_vocab for n in range(40)],
        )
        for place, option in enumerate(chosen)
    ]


def matrix_of(seed: int, n_rows: int, n_vocab: int, step: float) -> npt.NDArray[np.float32]:
    return np.stack([row_of(seed + row, n_vocab, step=step) for row in range(n_rows)])


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**31),
    chosen=st.lists(st.sampled_from(range(len(OPTIONS))), min_size=1, max_size=9),
    n_vocab=st.sampled_from([10, 300, 512, 3001, 4096, LONG]),
    step=st.sampled_from([0.0, 0.5, 100.0]),
)
def test_each_row_gives_what_it_gives_alone(seed: int, chosen: list[int], n_vocab: int, step: float) -> None:
    together, alone = samplers(chosen, n_vocab), samplers(chosen, n_vocab)
    for turn in range(3):
        matrix = matrix_of(seed + 100 * turn, 2 * len(chosen), n_vocab, step)
        expected_matrix = matrix.copy()
        # With an odd seed there are rows of others between these.
        rows = [place * (1 + seed % 2) for place in range(len(chosen))]
        bans = [(seed + place) % 3 == 0 for place in range(len(chosen))]
        outcomes = sample_rows(matrix, list(zip(rows, together, bans, strict=True)))
        expected = [
            sampler.sample(expected_matrix[row], ban_eog=ban)
            for row, sampler, ban in zip(rows, alone, bans, strict=True)
        ]
        assert outcomes == expected
        assert np.array_equal(matrix, expected_matrix)
        for sampler, other, token in zip(together, alone, expected, strict=True):
            sampler.accept(token.id)
            other.accept(token.id)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**31),
    n_vocab=st.sampled_from([256, 511, 512, 513, 3001, 8191, LONG]),
    n=st.sampled_from([1, 2, 40, 64, 65, 256]),
    step=st.sampled_from([0.0, 0.01, 1.0]),
)
def test_heads_are_the_best_tokens_and_of_equal_ones_the_lower(seed: int, n_vocab: int, n: int, step: float) -> None:
    matrix = matrix_of(seed, 5, n_vocab, step)
    for rows in ([2], [0, 1, 2, 3, 4], [1, 4]):
        heads = find_heads(matrix, rows, n)
        if heads is None:
            assert step == 1.0
            continue
        expected = [sorted(range(n_vocab), key=lambda token: (-matrix[row, token], token))[:n] for row in rows]
        assert heads.ids.tolist() == expected
        assert np.array_equal(heads.logits, [matrix[row, ids] for row, ids in zip(rows, expected, strict=True)])
        assert heads.is_usable == [True] * len(rows)


@pytest.mark.parametrize("n_vocab", [300, LONG])
@pytest.mark.parametrize("token", [0, 150, -1])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_row_without_numbers_fails_alone(n_vocab: int, token: int, bad: float) -> None:
    matrix = matrix_of(1, 3, n_vocab, 0.0)
    expected = [
        sampler.sample(row.copy()) for row, sampler in zip(matrix[:2], samplers([0, 0, 0], n_vocab), strict=False)
    ]
    matrix[2, token] = bad
    outcomes = sample_rows(matrix, [(row, sampler, False) for row, sampler in enumerate(samplers([0, 0, 0], n_vocab))])
    assert outcomes[:2] == expected
    assert isinstance(outcomes[2], UnusableLogits)


def test_a_row_in_which_all_is_banned_ends_alone() -> None:
    matrix = matrix_of(1, 2, LONG, 0.0)
    matrix[1] = -np.inf
    first, second = sample_rows(matrix, [(row, sampler, False) for row, sampler in enumerate(samplers([0, 0], LONG))])
    assert isinstance(first, SampledToken)
    assert second == SampledToken(min(EOG))


def test_an_error_in_one_request_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = matrix_of(1, 3, LONG, 0.0)
    together = samplers([0, 0, 0], LONG)
    expected = [sampler.sample(row.copy()) for row, sampler in zip(matrix, samplers([0, 0, 0], LONG), strict=True)]
    error = MemoryError()

    def fail(sampler: Sampler, *_: Any, **__: Any) -> None:
        if sampler is together[1]:
            raise error

    monkeypatch.setattr(Sampler, "prepare", fail)
    outcomes = sample_rows(matrix, [(row, sampler, False) for row, sampler in enumerate(together)])
    assert outcomes == [expected[0], error, expected[2]]
