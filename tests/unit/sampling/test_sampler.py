"""A request's sampler as the engine sees it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from service.sampling.sampler import SampledToken, Sampler, UnusableLogits
from service.sampling.settings import SamplerName, SamplingSettings
from tests.unit.sampling import naive
from tests.unit.sampling.helpers import EOG, GREEDY, LONG, NL_TOKEN, OFF, logits, make, row_of


def generate(sampler: Sampler, row: npt.NDArray[np.float32], n: int) -> list[int]:
    tokens = []
    for _ in range(n):
        token = sampler.sample(row.copy()).id
        sampler.accept(token)
        tokens.append(token)
    return tokens


def probabilities(options: SamplingSettings, *values: float, **more: Any) -> dict[int, float]:
    """Probabilities of the survivors of one draw."""
    sampler = make(replace(options, n_probs=len(values)), n_vocab=len(values), **more)
    return {token: p for token, p in sampler.sample(logits(*values)).probabilities if p > 0}


# Greedy.


@pytest.mark.parametrize("temperature", [0.0, -1.0])
@pytest.mark.parametrize("others", [{}, {"mirostat": 2}, {"samplers": ()}, {"top_k": 1, "min_keep": 5}])
def test_temperature_0_and_below_takes_the_best_token(temperature: float, others: dict[str, Any]) -> None:
    sampler = make(replace(GREEDY, temperature=temperature, **others))
    assert generate(sampler, logits(0, 1, 2, 9, 4, 9, 1, 0), 5) == [3] * 5


@pytest.mark.parametrize("temperature", [0.0, -1.0])
def test_greedy_probabilities_are_the_softmax_after_bias_and_penalties(temperature: float) -> None:
    options = replace(GREEDY, temperature=temperature, n_probs=3, repeat_penalty=2.0, logit_bias=((0, 4.0),), top_k=1)
    sampled = make(options, n_vocab=3, prompt=[0]).sample(logits(0, 1, 1.5))
    assert sampled.id == 0
    assert [token for token, _ in sampled.probabilities] == [0, 2, 1]
    assert [p for _, p in sampled.probabilities] == pytest.approx(naive.softmax([(0, 2), (2, 1.5), (1, 1)]), abs=1e-6)


# Bias, bans, penalties.


def test_bias_is_added_and_a_later_entry_replaces_an_earlier_one() -> None:
    options = replace(GREEDY, logit_bias=((0, 50.0), (4, 2.0), (0, -1.0)))
    sampler = make(options)
    row = logits(3, 0, 0, 0, 2.5, 0, 0, 0)
    assert sampler.sample(row).id == 4
    assert row.tolist() == [2, 0, 0, 0, 4.5, 0, 0, 0]


def test_a_banned_token_is_never_drawn() -> None:
    options = replace(OFF, logit_bias=((0, -math.inf), (5, -math.inf)))
    assert set(generate(make(options), np.zeros(8, np.float32), 200)) == {1, 2, 3, 4, 6, 7}


def test_ignore_eos_bans_every_end_of_generation_token() -> None:
    options = replace(OFF, ignore_eos=True)
    assert set(generate(make(options), np.zeros(8, np.float32), 200)) == {0, 3, 4, 5, 6, 7}


def test_an_explicit_bias_beats_the_ban_of_ignore_eos() -> None:
    options = replace(GREEDY, ignore_eos=True, logit_bias=((2, -1.0),))
    assert make(options).sample(logits(0, 9, 5, 0, 0, 0, 0, 0)).id == 2


def test_ban_eog_holds_for_one_token_and_against_a_bias() -> None:
    sampler = make(replace(GREEDY, logit_bias=((2, 100.0),)))
    row = logits(0, 9, 5, 3, 0, 0, 0, 0)
    assert sampler.sample(row.copy(), ban_eog=True).id == 3
    assert sampler.sample(row.copy()).id == 2


def test_penalties_come_after_the_bias_and_before_everything_else() -> None:
    options = replace(OFF, repeat_penalty=2.0, logit_bias=((0, 2.0),))
    expected = naive.softmax([(0, 1.0), (1, 0.0), (2, 0.0)])
    assert probabilities(options, 0, 0, 0, prompt=[0]) == pytest.approx(dict(enumerate(expected)), abs=1e-6)


def test_the_newline_token_can_be_exempt_from_penalties() -> None:
    options = replace(GREEDY, repeat_penalty=10.0)
    row = logits(0, 0, 0, 9, 5, 0, 0, 0)
    assert make(options, prompt=[NL_TOKEN]).sample(row.copy()).id == 4
    assert make(replace(options, penalize_nl=False), prompt=[NL_TOKEN]).sample(row.copy()).id == NL_TOKEN


def test_a_token_enters_the_window_only_when_accepted() -> None:
    sampler = make(replace(GREEDY, repeat_penalty=10.0))
    row = logits(9, 0, 0, 0, 5, 0, 0, 0)
    assert [sampler.sample(row.copy()).id for _ in range(3)] == [0, 0, 0]
    sampler.accept(0)
    assert sampler.sample(row.copy()).id == 4


@pytest.mark.parametrize(
    ("prompt", "penalty_prompt", "expected"),
    [((0,), None, 4), ((0,), (), 0), ((0,), (4,), 0), ((), (0,), 4), ((4,), (0,), 4)],
    ids=["prompt", "empty replacement", "other replacement", "replacement alone", "replacement instead of prompt"],
)
def test_the_penalty_history_is_the_prompt_or_its_replacement(
    prompt: tuple[int, ...], penalty_prompt: tuple[int, ...] | None, expected: int
) -> None:
    options = replace(GREEDY, repeat_penalty=10.0, penalty_prompt=penalty_prompt)
    assert make(options, prompt=prompt).sample(logits(9, 0, 0, 0, 5, 0, 0, 0)).id == expected


@pytest.mark.parametrize(
    ("repeat_last_n", "n_ctx", "expected"), [(0, 64, 0), (1, 64, 0), (2, 64, 4), (100, 64, 4), (-1, 1, 0), (-1, 2, 4)]
)
def test_the_penalty_window_has_its_real_length(repeat_last_n: int, n_ctx: int, expected: int) -> None:
    options = replace(GREEDY, repeat_penalty=10.0, repeat_last_n=repeat_last_n)
    row = logits(9, 0, 0, 0, 5, 0, 0, 0)
    assert make(options, prompt=[0, 7], n_ctx=n_ctx).sample(row).id == expected


def test_penalties_reach_further_back_than_64_tokens() -> None:
    sampler = make(replace(GREEDY, repeat_penalty=10.0, repeat_last_n=-1), prompt=[0] + [7] * 200, n_ctx=512)
    assert sampler.sample(logits(9, 0, 0, 0, 5, 0, 0, 0)).id == 4


# The chain.


def test_the_chain_is_applied_in_the_order_given() -> None:
    # At temperature 5 the second token reaches half of the best one's probability; before it, it does not.
    row = (2.0, 0.0, -20.0)
    first = replace(OFF, min_p=0.5, temperature=5.0, samplers=(SamplerName.MIN_P, SamplerName.TEMPERATURE))
    last = replace(first, samplers=(SamplerName.TEMPERATURE, SamplerName.MIN_P))
    assert probabilities(first, *row).keys() == {0}
    assert probabilities(last, *row).keys() == {0, 1}


def test_a_name_that_occurs_twice_acts_twice() -> None:
    once = replace(OFF, temperature=2.0, samplers=(SamplerName.TEMPERATURE,))
    twice = replace(once, samplers=(SamplerName.TEMPERATURE,) * 2)
    assert probabilities(twice, 0, 4) == pytest.approx(probabilities(replace(once, temperature=4.0), 0, 4))


def test_no_samplers_at_all_leave_the_plain_softmax() -> None:
    options = replace(SamplingSettings(seed=1), repeat_penalty=1.0, samplers=(), temperature=0.3, top_k=1)
    expected = naive.softmax([(0, 1.0), (1, 0.0), (2, -3.0)])
    assert probabilities(options, 1, 0, -3) == pytest.approx(dict(enumerate(expected)), abs=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        replace(OFF, top_k=-5),
        replace(OFF, top_p=1.5),
        replace(OFF, min_p=-1.0),
        replace(OFF, tfs_z=1.0),
        replace(OFF, typical_p=2.0),
        replace(OFF, min_keep=2),
        replace(OFF, dynatemp_range=-1.0),
        replace(OFF, mirostat=3, mirostat_tau=0.1),
        replace(OFF, repeat_last_n=0, repeat_penalty=5.0),
    ],
)
def test_values_that_turn_a_sampler_off(options: SamplingSettings) -> None:
    assert len(probabilities(options, 0, 1, 2, 3, 4, prompt=[4])) == 5


def test_min_keep_holds_in_every_truncating_sampler() -> None:
    for tight in ({"top_k": 1}, {"top_p": 0.0}, {"min_p": 1.0}, {"tfs_z": 0.0}, {"typical_p": 0.0}):
        options = replace(OFF, min_keep=3, **tight)
        assert len(probabilities(options, 5, 4, 3, 2, 1, 0)) == 3, tight


def test_mirostat_replaces_the_chain_but_not_temperature_and_penalties() -> None:
    options = replace(OFF, mirostat=2, mirostat_tau=2.0, temperature=0.5, repeat_penalty=2.0, top_k=1, min_keep=9)
    # After penalty and temperature 4, 3 and -20; the limit of 4 bits drops only the last.
    expected = naive.softmax([(0, 4.0), (1, 3.0)])
    assert probabilities(options, 4, 1.5, -10, prompt=[0]) == pytest.approx(dict(enumerate(expected)), abs=1e-6)


def test_mirostat_moves_its_limit_with_every_draw() -> None:
    sampler = make(replace(OFF, mirostat=2, mirostat_tau=0.5, mirostat_eta=0.5, n_probs=8))
    row = np.zeros(8, np.float32)
    # The limit begins at 1 bit, so that one of eight equal tokens stays; each sure token raises it by a quarter of a
    # bit, up to the 3 bits that let all pass.
    survivors = [sum(p > 0 for _, p in sampler.sample(row.copy()).probabilities) for _ in range(10)]
    assert survivors[:8] == [1] * 8
    assert 8 in survivors


# Random numbers.


def test_equal_seeds_give_equal_tokens_whatever_others_do() -> None:
    row = row_of(8, 100)
    alone = generate(make(replace(OFF, seed=42), n_vocab=100), row, 30)
    first, second = (make(replace(OFF, seed=seed), n_vocab=100) for seed in (42, 43))
    together = [(first.sample(row.copy()).id, second.sample(row.copy()).id) for _ in range(30)]
    assert [token for token, _ in together] == alone
    assert [token for _, token in together] != alone


def test_a_chosen_seed_is_reported() -> None:
    assert make(replace(OFF, seed=0)).seed == 0
    assert make(replace(OFF, seed=2**32 - 1)).seed == 2**32 - 1


def test_a_random_seed_is_reported_and_can_be_used_again() -> None:
    row = row_of(8, 100)
    unseeded = make(replace(OFF, seed=None), n_vocab=100)
    assert 0 <= unseeded.seed < 2**32 - 1
    again = make(replace(OFF, seed=unseeded.seed), n_vocab=100)
    assert generate(unseeded, row, 30) == generate(again, row, 30)
    assert len({make(replace(OFF, seed=None)).seed for _ in range(20)}) > 1


def test_draws_follow_the_distribution_after_the_samplers() -> None:
    options = replace(OFF, top_k=3, temperature=0.5, seed=99)
    tokens = generate(make(options, n_vocab=4), logits(math.log(0.5), math.log(0.25), math.log(0.2), -9), 10_000)
    weights = np.array([0.5, 0.25, 0.2]) ** 2
    expected = 10_000 * weights / weights.sum()
    counts = np.bincount(tokens, minlength=4)
    assert counts[3] == 0
    chi_square = float(((counts[:3] - expected) ** 2 / expected).sum())
    # Two degrees of freedom: a right sampler exceeds this once in a thousand seeds, and this seed is fixed.
    assert chi_square < 13.8


# Reports.


def test_nothing_is_reported_that_was_not_asked_for() -> None:
    assert make(GREEDY).sample(logits(0, 0, 0, 1, 0, 0, 0, 0)) == SampledToken(3)


def test_survivors_are_listed_before_dropped_tokens() -> None:
    options = replace(OFF, top_k=2, n_probs=4)
    sampled = make(options).sample(logits(0, 1, 2, 3, 4, 5, 6, 7))
    assert [token for token, _ in sampled.probabilities] == [7, 6, 5, 4]
    assert [p for _, p in sampled.probabilities][2:] == [0.0, 0.0]


def test_logprobs_are_those_of_the_model_before_everything() -> None:
    options = replace(
        GREEDY, top_logprobs=2, repeat_penalty=5.0, logit_bias=((0, 9.0), (7, -math.inf)), ignore_eos=True
    )
    row = logits(0, 1, 2, 3, 4, 5, 6, 7)
    expected = naive.softmax(list(enumerate(row.tolist())))
    sampled = make(options, prompt=[6, 7]).sample(row.copy())
    assert sampled.id == 0
    assert sampled.logprob == pytest.approx(math.log(expected[0]), abs=1e-5)
    assert [token for token, _ in sampled.top_logprobs] == [7, 6]
    assert [math.exp(value) for _, value in sampled.top_logprobs] == pytest.approx(expected[:5:-1], abs=1e-5)


def test_top_logprobs_0_reports_the_chosen_token_alone() -> None:
    sampled = make(replace(GREEDY, top_logprobs=0)).sample(np.zeros(8, np.float32))
    assert sampled.logprob == pytest.approx(-math.log(8))
    assert sampled.top_logprobs == ()


# Rows that cannot be sampled, and rows that nearly cannot.


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize(
    "options", [OFF, GREEDY, replace(OFF, mirostat=1), SamplingSettings(top_logprobs=3, n_probs=3)]
)
def test_a_logit_that_is_no_number_is_refused_by_name(options: SamplingSettings, bad: float) -> None:
    with pytest.raises(UnusableLogits, match=f"logit of token 5 is {bad}; allowed: finite"):
        make(options).sample(logits(0, 0, 0, 0, 0, bad, 0, 0))


def test_nan_is_found_in_a_long_row() -> None:
    row = row_of(2, LONG)
    row[17_000] = np.nan
    with pytest.raises(UnusableLogits, match="token 17000"):
        make(SamplingSettings(), n_vocab=LONG).sample(row)


@pytest.mark.parametrize("ban_eog", [False, True])
@pytest.mark.parametrize("options", [OFF, GREEDY, replace(OFF, mirostat=2), SamplingSettings()])
def test_a_row_without_any_token_ends_the_text(options: SamplingSettings, ban_eog: bool) -> None:
    options = replace(options, n_probs=2, top_logprobs=1)
    sampled = make(options).sample(np.full(8, -np.inf, np.float32), ban_eog=ban_eog)
    assert sampled.id == min(EOG)
    assert [p for _, p in sampled.probabilities] == [0.0, 0.0]
    assert sampled.logprob == -math.inf


def test_banning_everything_ends_the_text() -> None:
    options = replace(OFF, logit_bias=tuple((token, -math.inf) for token in range(8)))
    assert make(options).sample(np.zeros(8, np.float32)).id == min(EOG)


def test_a_row_without_any_token_is_refused_if_nothing_ends_the_text() -> None:
    with pytest.raises(UnusableLogits, match="every token is banned"):
        make(OFF, eog=frozenset()).sample(np.full(8, -np.inf, np.float32))


def test_an_infinite_logit_that_a_penalty_would_limit_has_no_log_probabilities() -> None:
    sampler = make(replace(GREEDY, top_logprobs=1, repeat_penalty=1.1), prompt=[3])
    with pytest.raises(UnusableLogits, match="token 3 is inf"):
        sampler.sample(np.array([0, 0, 0, math.inf, 0, 0, 0, 0], np.float32))
