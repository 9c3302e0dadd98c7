"""The contract for a model that guesses for another one: as a ``Drafter``, it says what it would say itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.engine.draft.drafter import DraftTask
from service.engine.draft.model_drafter import MIN_SPARED, ModelDrafter
from service.engine.language_model import Segment
from tests.contract.base import ContractTests, positions, some_tokens

if TYPE_CHECKING:
    from service.engine.draft.drafter import Drafter
    from service.engine.language_model import CausalModel

#: A token may be guessed in place of another one whose logit is so little larger, in standard deviations of the row.
NEAR_TIE = 0.2


def guess(drafter: Drafter, task: DraftTask, length: int = 3) -> list[int]:
    """What comes behind a sequence."""
    (tokens,) = drafter.draft([task], length, 0.0).tokens
    return tokens


class DrafterContract(ContractTests):
    """The tests: two slots, and the third sequence to compare with."""

    @pytest.fixture
    def drafter(self, model: CausalModel) -> ModelDrafter:
        """One that has read nothing."""
        if not model.info.can_cut:
            pytest.skip("this model cannot guess: it cannot take back tokens")
        return ModelDrafter(model, 2, model.info.n_vocab)

    def assert_own_words(self, model: CausalModel, tokens: list[int], guessed: list[int], length: int = 3) -> None:
        """The guess is what the model says behind the tokens, up to near ties."""
        assert len(guessed) == length or guessed[-1] in model.info.eog_tokens
        n_rows = len(guessed)
        model.compute.decode([Segment(2, 0, [*tokens, *guessed[:-1]], n_rows)])
        for place, token in enumerate(guessed):
            row = model.compute.logits(0, place)
            assert row[token] >= row.max() - NEAR_TIE * row.std()
        assert model.memory.remove(2, 0, -1)

    def test_a_guess_is_what_the_model_says(self, model: CausalModel, drafter: ModelDrafter) -> None:
        tokens = some_tokens(12)
        self.assert_own_words(model, tokens, guess(drafter, DraftTask(0, tokens)))

    def test_it_follows_what_was_chosen_instead(self, model: CausalModel, drafter: ModelDrafter) -> None:
        tokens = some_tokens(12)
        guessed = guess(drafter, DraftTask(0, tokens), 4)
        chosen = [*tokens, guessed[0], 65]
        assert drafter.n_unread(DraftTask(0, chosen)) == 1
        self.assert_own_words(model, chosen, guess(drafter, DraftTask(0, chosen)))
        grown = [*chosen, *some_tokens(4, seed=1)]
        self.assert_own_words(model, grown, guess(drafter, DraftTask(0, grown)))
        assert guess(drafter, DraftTask(0, some_tokens(9, seed=2)))

    def test_what_is_read_needs_not_be_read_again(self, drafter: ModelDrafter) -> None:
        task = DraftTask(0, some_tokens(20))
        assert (drafter.n_unread(task), drafter.total_unread([task])) == (20, 20)
        assert drafter.read([task], 8) == 8
        assert drafter.n_unread(task) == 12
        assert drafter.read([task], 100) == 11
        assert (drafter.n_unread(task), drafter.read([task], 100)) == (1, 0)

    def test_several_are_guessed_in_the_same_calls(self, model: CausalModel, drafter: ModelDrafter) -> None:
        tasks = [DraftTask(slot_id, some_tokens(8 + slot_id, seed=slot_id)) for slot_id in range(2)]
        guesses = drafter.draft(tasks, 3, 0.0)
        assert guesses.n_calls <= 3
        for task, tokens in zip(tasks, guesses.tokens, strict=True):
            self.assert_own_words(model, task.tokens, tokens)

    def test_what_another_slot_has_read_is_shared(self, model: CausalModel, drafter: ModelDrafter) -> None:
        prompt = some_tokens(40)
        first, second = DraftTask(0, [*prompt, 65]), DraftTask(1, [*prompt, 66])
        assert drafter.total_unread([first, second]) == 42
        assert drafter.read([first, second], 80) == 40
        if not model.memory.fork(0, 2, 40):
            pytest.skip("this model cannot share a part of a sequence")
        assert model.memory.remove(2, 0, -1)
        assert drafter.n_unread(second) == 1
        free = model.memory.cells_free
        guesses = drafter.draft([first, second], 3, 0.0)
        assert free - model.memory.cells_free <= 6
        for task, tokens in zip((first, second), guesses.tokens, strict=True):
            self.assert_own_words(model, task.tokens, tokens)

    def test_nothing_is_shared_with_another_salt(self, drafter: ModelDrafter) -> None:
        prompt = some_tokens(MIN_SPARED + 8)
        drafter.read([DraftTask(0, prompt, "a")], 80)
        assert drafter.n_unread(DraftTask(0, prompt, "a")) == 1
        for slot_id in range(2):
            assert drafter.n_unread(DraftTask(slot_id, prompt, "b")) == len(prompt)
        assert drafter.total_unread([DraftTask(0, prompt, "b"), DraftTask(1, prompt, "c")]) == 2 * len(prompt)

    def test_what_is_behind_a_context_shift_moves(self, model: CausalModel, drafter: ModelDrafter) -> None:
        if not model.info.can_shift:
            pytest.skip("positions of this model are fixed")
        prompt = some_tokens(76)
        guessed = guess(drafter, DraftTask(0, prompt))
        shifted = DraftTask(0, [*prompt[:4], *prompt[34:], *guessed])
        assert drafter.n_unread(shifted) <= 2
        assert guess(drafter, shifted)
        assert model.memory.position_max(0) >= len(shifted.tokens) - 1

    def test_others_go_if_cells_are_needed(self, model: CausalModel, drafter: ModelDrafter) -> None:
        assert guess(drafter, DraftTask(0, some_tokens(60)))
        assert guess(drafter, DraftTask(1, some_tokens(60, seed=1)))
        assert positions(model)[0] == -1
        tasks = [DraftTask(slot_id, some_tokens(60, seed=slot_id)) for slot_id in range(2)]
        assert [] in drafter.draft(tasks, 3, 0.0).tokens

    def test_what_is_too_long_or_unknown_cannot_be_followed(self, model: CausalModel, drafter: ModelDrafter) -> None:
        assert drafter.can_follow(DraftTask(0, some_tokens(93)), 3)
        assert not drafter.can_follow(DraftTask(0, some_tokens(94)), 3)
        last = model.info.n_vocab - 1
        assert drafter.can_follow(DraftTask(0, [65, last]), 3)
        assert not ModelDrafter(model, 2, last).can_follow(DraftTask(0, [65, last]), 3)

    def test_a_guess_ends_in_front_of_what_is_improbable(self, model: CausalModel, drafter: ModelDrafter) -> None:
        task = DraftTask(0, some_tokens(12))
        sure = guess(drafter, task)
        guesses = drafter.draft([task], 3, 1.0)
        assert guesses.tokens[0] == sure[: len(guesses.tokens[0])]
        assert guesses.n_calls <= len(guesses.tokens[0]) + 1
        assert drafter.draft([task], 3, 1.1).tokens == [[]]
