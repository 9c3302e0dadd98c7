"""A sampler with a grammar: choose, check, and choose again."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest

from service.sampling.sampler import Sampler
from tests.unit.sampling.helpers import EOG, GREEDY, NL_TOKEN, OFF, logits

if TYPE_CHECKING:
    from service.sampling.settings import SamplingSettings

N_VOCAB = 8


class FakeGrammar:
    """Allows some tokens, always the same; keeps what was asked of it."""

    def __init__(self, allowed: set[int]) -> None:
        self.allowed = allowed
        self.n_masks = 0
        self.accepted: list[int] = []

    def allows(self, token: int) -> bool:
        return token in self.allowed

    def mask(self, logits: npt.NDArray[np.float32]) -> None:
        self.n_masks += 1
        logits[[token for token in range(N_VOCAB) if token not in self.allowed]] = -np.inf

    def accept(self, token: int) -> None:
        assert token in self.allowed
        self.accepted.append(token)

    def close(self) -> None:
        raise AssertionError("the sampler does not own its grammar")


def make(options: SamplingSettings, grammar: FakeGrammar | None, **more: Any) -> Sampler:
    return Sampler(
        options,
        n_vocab=N_VOCAB,
        nl_token=NL_TOKEN,
        n_ctx=64,
        grammar=grammar,
        **({"eog_tokens": EOG, "prompt": ()} | more),
    )


def draws(options: SamplingSettings, grammar: FakeGrammar, row: npt.NDArray[np.float32], n: int) -> Counter[int]:
    sampler = make(options, grammar)
    return Counter(sampler.sample(row.copy()).id for _ in range(n))


def test_a_choice_that_the_grammar_allows_stands() -> None:
    grammar = FakeGrammar({5, 6})
    assert make(GREEDY, grammar).sample(logits(0, 0, 0, 0, 0, 9, 1, 0)).id == 5
    assert grammar.n_masks == 0


@pytest.mark.parametrize("options", [GREEDY, OFF, replace(OFF, mirostat=1), replace(OFF, mirostat=2)])
def test_a_choice_that_the_grammar_rejects_is_made_again_among_those_it_allows(options: SamplingSettings) -> None:
    grammar = FakeGrammar({3, 6})
    assert make(options, grammar).sample(logits(0, 0, 0, 2, 0, 90, 40, 0)).id == 6
    assert grammar.n_masks == 1


def test_bias_and_penalties_hold_for_the_second_choice_once() -> None:
    options = replace(GREEDY, logit_bias=((6, 3.0), (4, 1.5)), repeat_penalty=2.0)
    sampler = make(options, FakeGrammar({4, 6}), prompt=[6])
    row = logits(0, 0, 0, 0, 1, 90, 1, 0)
    assert sampler.sample(row).id == 4
    assert row[[4, 6]].tolist() == [2.5, 2.0]


def test_the_distribution_is_the_usual_one_where_it_is_allowed_and_the_masked_one_elsewhere() -> None:
    row = np.log(np.array([1e-9, 1e-9, 1e-9, 0.5, 0.3, 0.15, 0.05, 1e-9], np.float32))
    n = 20_000
    found = draws(OFF, FakeGrammar({4, 5, 6}), row, n)
    rejected = 0.5
    for token, p in ((4, 0.3), (5, 0.15), (6, 0.05)):
        expected = p + rejected * p / 0.5
        assert found[token] / n == pytest.approx(expected, abs=5 * math.sqrt(expected / n))
    assert set(found) == {4, 5, 6}


def test_a_grammar_that_allows_everything_changes_no_draw() -> None:
    row = np.random.default_rng(0).normal(size=N_VOCAB).astype(np.float32)
    free, bound = make(OFF, None), make(OFF, FakeGrammar(set(range(N_VOCAB))))
    assert [free.sample(row.copy()).id for _ in range(100)] == [bound.sample(row.copy()).id for _ in range(100)]


def test_what_the_chain_would_cut_away_is_found_if_only_that_is_allowed() -> None:
    options = replace(OFF, top_k=1, min_p=0.5)
    assert make(options, FakeGrammar({0})).sample(logits(-50, 0, 0, 9, 8, 7, 0, 0)).id == 0


@pytest.mark.parametrize("options", [GREEDY, OFF])
def test_probabilities_are_those_of_the_choice_that_counted(options: SamplingSettings) -> None:
    row = logits(0, 0, 0, 2, 0, 90, 40, 0)
    rejected = make(replace(options, n_probs=2), FakeGrammar({3, 6})).sample(row.copy())
    assert [token for token, _ in rejected.probabilities] == [6, 3]
    assert rejected.probabilities[0][1] == pytest.approx(1.0)
    accepted = make(replace(options, n_probs=2), FakeGrammar({5})).sample(row.copy())
    assert [token for token, _ in accepted.probabilities] == [5, 6]


def test_log_probabilities_stay_those_of_the_raw_row() -> None:
    row = logits(0, 0, 0, 2, 0, 3, 1, 0)
    free = make(replace(GREEDY, top_logprobs=3), None).sample(row.copy())
    bound = make(replace(GREEDY, top_logprobs=3), FakeGrammar({6})).sample(row.copy())
    assert bound.id == 6
    assert bound.top_logprobs == free.top_logprobs
    assert bound.logprob == pytest.approx(dict(free.top_logprobs)[6])


def test_mirostat_learns_from_the_second_choice_only() -> None:
    options = replace(OFF, mirostat=2, mirostat_tau=1.0, mirostat_eta=0.5)
    row = logits(-90, -90, -90, 2, -90, 90, 2, -90)
    alone = logits(-90, -90, -90, 2, -90, -90, 2, -90)
    bound, free = make(options, FakeGrammar({3, 6})), make(options, None)
    for _ in range(5):
        bound.sample(row.copy())
        free.sample(alone.copy())
    assert bound.mirostat_limit is not None
    assert bound.mirostat_limit == pytest.approx(free.mirostat_limit)


def test_accepting_goes_on_in_the_grammar_but_not_by_the_end() -> None:
    grammar = FakeGrammar({1, 5})
    sampler = make(GREEDY, grammar)
    sampler.accept(5)
    sampler.accept(1)
    assert grammar.accepted == [5]


def test_an_end_that_the_grammar_allows_is_chosen_though_the_model_would_go_on() -> None:
    assert make(GREEDY, FakeGrammar(set(EOG))).sample(logits(0, 1, 2, 9, 9, 9, 9, 9)).id == 2


def test_an_end_that_comes_too_early_is_replaced() -> None:
    assert make(GREEDY, FakeGrammar({4})).sample(logits(0, 90, 80, 9, 1, 9, 9, 9)).id == 4


@pytest.mark.parametrize("allowed", [set(EOG), set()])
def test_a_dead_end_is_an_end(allowed: set[int]) -> None:
    sampler = make(replace(GREEDY, ignore_eos=True), FakeGrammar(allowed))
    sampled = sampler.sample(logits(0, 1, 2, 9, 9, 9, 9, 9))
    assert sampled.id == min(EOG)
    sampler.accept(sampled.id)


def test_an_end_that_min_tokens_bans_is_the_end_if_nothing_else_is_allowed() -> None:
    assert make(GREEDY, FakeGrammar(set(EOG))).sample(logits(0, 1, 2, 9, 9, 9, 9, 9), ban_eog=True).id == min(EOG)
