"""The contract for cells: how many there are, and what sequences may do with those that they share."""

from __future__ import annotations

import numpy as np
import pytest

from service.engine.language_model import CacheFull, CausalModel, Segment
from tests.contract.base import ContractTests, evaluate, fork, positions, some_tokens


class SharingContract(ContractTests):
    """The tests."""

    def test_cells_that_hold_tokens_are_not_free(self, model: CausalModel) -> None:
        model.compute.decode([Segment(0, 0, some_tokens(20), 0), Segment(1, 0, some_tokens(3), 1)])
        assert model.memory.cells_free == 73
        with pytest.raises(CacheFull):
            model.compute.decode([Segment(2, 0, some_tokens(74), 0)])
        assert model.memory.cells_free == 73
        if model.memory.remove(0, 5, 9):
            assert model.memory.cells_free == 77
        assert model.memory.remove(0, 0, -1)
        assert model.memory.cells_free == 93

    def test_a_fork_goes_on_as_its_source_would(self, model: CausalModel) -> None:
        prompt = some_tokens(12)
        evaluate(model, 0, prompt)
        fork(model, 0, 1, 12)
        assert positions(model) == [11, 11, -1]
        forked = evaluate(model, 1, [65, 66])
        self.assert_same(forked, evaluate(model, 0, [65, 66]))
        self.assert_same(forked, evaluate(model, 2, [*prompt, 65, 66]))

    def test_a_fork_of_a_beginning_knows_nothing_of_the_rest(self, model: CausalModel) -> None:
        prompt = some_tokens(12)
        evaluate(model, 0, [*prompt, *some_tokens(6, seed=1)])
        fork(model, 0, 1, 12)
        assert positions(model) == [17, 11, -1]
        self.assert_same(evaluate(model, 1, [65]), evaluate(model, 2, [*prompt, 65]))

    def test_a_fork_and_its_source_go_separate_ways(self, model: CausalModel) -> None:
        prompt = some_tokens(8)
        evaluate(model, 0, prompt)
        fork(model, 0, 1, 8)
        model.compute.decode([Segment(0, 8, [65, 66, 67], 1), Segment(1, 8, [97, 98], 1)])
        rows = [model.compute.logits(index).copy() for index in range(2)]
        for row, tail in zip(rows, ([65, 66, 67], [97, 98]), strict=True):
            self.assert_same(row, evaluate(model, 2, [*prompt, *tail]))
            assert model.memory.remove(2, 0, -1)

    @pytest.mark.parametrize("gone", [0, 1])
    def test_a_fork_and_its_source_outlive_each_other(self, model: CausalModel, gone: int) -> None:
        prompt = some_tokens(8)
        evaluate(model, 0, prompt)
        fork(model, 0, 1, 8)
        assert model.memory.remove(gone, 0, -1)
        assert model.memory.position_max(gone) == -1
        self.assert_same(evaluate(model, 1 - gone, [65]), evaluate(model, 2, [*prompt, 65]))

    def test_a_removed_tail_of_a_fork_stays_with_the_source(self, model: CausalModel) -> None:
        prompt = some_tokens(10)
        evaluate(model, 0, prompt)
        fork(model, 0, 1, 10)
        assert model.memory.remove(1, 4, -1)
        assert (positions(model), model.memory.cells_free) == ([9, 3, -1], 86)
        evaluate(model, 1, [97, 98])
        self.assert_same(evaluate(model, 0, [65]), evaluate(model, 2, [*prompt, 65]))

    def test_a_shared_cell_counts_once(self, model: CausalModel) -> None:
        evaluate(model, 0, some_tokens(20))
        fork(model, 0, 1, 15)
        fork(model, 1, 2, 10)
        assert model.memory.cells_free == 76
        evaluate(model, 1, [65, 66])
        assert model.memory.cells_free == 74
        assert model.memory.remove(0, 0, -1)
        assert model.memory.cells_free == 79
        assert model.memory.remove(1, 0, -1)
        assert model.memory.cells_free == 86
        assert model.memory.remove(2, 0, -1)
        assert model.memory.cells_free == 96

    def test_a_full_cache_can_be_forked(self, model: CausalModel) -> None:
        model.compute.decode([Segment(0, 0, some_tokens(96), 0)])
        fork(model, 0, 1, 96)
        assert (positions(model), model.memory.cells_free) == ([95, 95, -1], 0)
        with pytest.raises(CacheFull):
            model.compute.decode([Segment(1, 96, [65], 1)])
        assert model.memory.remove(0, 0, -1)
        assert model.memory.cells_free == 0
        assert model.memory.remove(1, 90, -1)
        evaluate(model, 1, [65] * 6)
        assert (positions(model), model.memory.cells_free) == ([-1, 95, -1], 0)

    @pytest.mark.parametrize(
        ("source", "target", "end"),
        [
            pytest.param(0, 0, 2, id="onto itself"),
            pytest.param(0, 1, 2, id="onto tokens"),
            pytest.param(0, 2, 5, id="more than there is"),
            pytest.param(2, 1, 1, id="of nothing"),
        ],
    )
    def test_a_wrong_fork_is_refused(self, model: CausalModel, source: int, target: int, end: int) -> None:
        evaluate(model, 0, [65, 66, 67, 68])
        evaluate(model, 1, [97])
        with pytest.raises(ValueError):
            model.memory.fork(source, target, end)
        assert (positions(model), model.memory.cells_free) == ([3, 0, -1], 91)

    def test_unsharing_keeps_the_contents(self, model: CausalModel) -> None:
        prompt = some_tokens(12)
        evaluate(model, 0, prompt)
        fork(model, 0, 1, 10)
        evaluate(model, 1, [65])
        model.memory.unshare(1)
        assert (positions(model), model.memory.cells_free) == ([11, 10, -1], 96 - 12 - 11)
        unshared = evaluate(model, 1, [66])
        self.assert_same(unshared, evaluate(model, 2, [*prompt[:10], 65, 66]))
        assert model.memory.remove(2, 0, -1)
        self.assert_same(evaluate(model, 0, [67]), evaluate(model, 2, [*prompt, 67]))

    def test_an_unshared_sequence_outlives_its_source(self, model: CausalModel) -> None:
        prompt = some_tokens(12)
        evaluate(model, 0, prompt)
        fork(model, 0, 1, 12)
        model.memory.unshare(1)
        assert model.memory.remove(0, 0, -1)
        assert model.memory.cells_free == 84
        # Other tokens take the cells of the source.
        evaluate(model, 0, some_tokens(40, seed=1))
        self.assert_same(evaluate(model, 1, [65]), evaluate(model, 2, [*prompt, 65]))

    def test_unsharing_what_is_not_shared_changes_nothing(self, model: CausalModel) -> None:
        model.memory.unshare(0)
        evaluate(model, 0, some_tokens(60))
        model.memory.unshare(0)
        fork(model, 0, 1, 60)
        assert model.memory.remove(1, 0, -1)
        model.memory.unshare(0)
        assert (positions(model), model.memory.cells_free) == ([59, -1, -1], 36)

    def test_unsharing_without_room_changes_nothing(self, model: CausalModel) -> None:
        prompt = some_tokens(12)
        evaluate(model, 0, prompt)
        fork(model, 0, 1, 12)
        model.compute.decode([Segment(2, 0, some_tokens(73, seed=1), 0)])
        assert model.memory.cells_free == 11
        with pytest.raises(CacheFull):
            model.memory.unshare(1)
        assert (positions(model), model.memory.cells_free) == ([11, 11, 72], 11)
        model.compute.decode([Segment(seq_id, 12, [65], 1) for seq_id in range(2)])
        self.assert_same(model.compute.logits(0).copy(), model.compute.logits(1))
        other = evaluate(model, 2, [66])
        for seq_id in range(2):
            assert model.memory.remove(seq_id, 0, -1)
        assert model.memory.remove(2, 0, -1)
        self.assert_same(other, evaluate(model, 2, [*some_tokens(73, seed=1), 66]))

    def test_unsharing_takes_the_last_cells(self, model: CausalModel) -> None:
        evaluate(model, 0, some_tokens(40))
        fork(model, 0, 1, 40)
        evaluate(model, 2, some_tokens(16, seed=1))
        model.memory.unshare(1)
        assert model.memory.cells_free == 0
        for seq_id in (0, 1):
            assert model.memory.remove(seq_id, 39, -1)
        model.compute.decode([Segment(seq_id, 39, [65], 1) for seq_id in (0, 1)])
        self.assert_same(model.compute.logits(0).copy(), model.compute.logits(1))

    def test_shared_positions_cannot_move(self, model: CausalModel) -> None:
        if not model.info.can_shift:
            pytest.skip("this model cannot shift")
        evaluate(model, 0, some_tokens(12))
        fork(model, 0, 1, 10)
        evaluate(model, 1, [65, 66])
        assert model.memory.remove(1, 2, 6)
        for seq_id in range(2):
            with pytest.raises(ValueError):
                model.memory.shift(seq_id, 6, 12, -4)
            with pytest.raises(ValueError):
                model.memory.divide(seq_id, 8, 12, 2)
        assert positions(model) == [11, 11, -1]
        # Those behind belong to one sequence only, and so do all of them after unsharing.
        model.memory.shift(1, 10, 12, 5)
        assert positions(model) == [11, 16, -1]
        model.memory.unshare(1)
        model.memory.shift(1, 15, 17, -5)
        model.memory.shift(1, 6, 12, -4)
        assert positions(model) == [11, 7, -1]
        evaluate(model, 1, [67])
        self.assert_same(evaluate(model, 0, [65]), evaluate(model, 2, [*some_tokens(12), 65]))

    def test_a_shift_moves_the_unshared_sequence_only(self, model: CausalModel) -> None:
        if not self.shift_is_exact:
            pytest.skip("deeper layers keep what they saw of removed tokens")
        evaluate(model, 0, [*some_tokens(8, seed=1), 65, 66])
        fork(model, 0, 1, 10)
        model.memory.unshare(1)
        assert model.memory.remove(1, 0, 8)
        model.memory.shift(1, 8, 10, -8)
        # Forked and unshared again before anything was computed.
        fork(model, 1, 2, 2)
        model.memory.unshare(2)
        assert model.memory.remove(1, 0, -1)
        self.assert_same(evaluate(model, 2, [67]), evaluate(model, 1, [65, 66, 67]))
        assert model.memory.remove(1, 0, -1)
        self.assert_same(evaluate(model, 0, [67]), evaluate(model, 1, [*some_tokens(8, seed=1), 65, 66, 67]))

    def test_a_division_puts_tokens_into_groups(self, model: CausalModel) -> None:
        if not model.info.can_shift:
            pytest.skip("this model cannot shift")
        evaluate(model, 0, some_tokens(20))
        model.memory.divide(0, 0, 16, 4)
        assert model.memory.position_max(0) == 19
        model.memory.shift(0, 16, 20, -12)
        assert (model.memory.position_max(0), model.memory.cells_free) == (7, 76)
        assert np.isfinite(evaluate(model, 0, [65, 66])).all()
        assert (model.memory.position_max(0), model.memory.cells_free) == (9, 74)
        # Whole groups go.
        assert model.memory.remove(0, 1, 3)
        assert (model.memory.position_max(0), model.memory.cells_free) == (9, 82)

    def test_a_group_can_be_shared_and_unshared(self, model: CausalModel) -> None:
        if not model.info.can_shift:
            pytest.skip("this model cannot shift")
        evaluate(model, 0, some_tokens(12))
        model.memory.divide(0, 0, 12, 4)
        fork(model, 0, 1, 2)
        assert (positions(model), model.memory.cells_free) == ([2, 1, -1], 84)
        with pytest.raises(ValueError):
            model.memory.divide(1, 0, 2, 2)
        model.memory.unshare(1)
        assert model.memory.cells_free == 76
        fork(model, 0, 2, 2)
        assert model.memory.remove(0, 0, -1)
        model.compute.decode([Segment(seq_id, 2, [65, 66], 1) for seq_id in (1, 2)])
        self.assert_same(model.compute.logits(0).copy(), model.compute.logits(1))

    def test_a_division_by_1_changes_nothing(self, model: CausalModel) -> None:
        if not model.info.can_shift:
            pytest.skip("this model cannot shift")
        evaluate(model, 0, some_tokens(9))
        model.memory.divide(0, 0, 9, 1)
        model.memory.divide(1, 0, 9, 3)
        assert positions(model) == [8, -1, -1]
        self.assert_same(evaluate(model, 0, [65]), evaluate(model, 1, [*some_tokens(9), 65]))

    @pytest.mark.parametrize("divisor", [0, -2])
    def test_a_division_by_less_than_1_is_refused(self, model: CausalModel, divisor: int) -> None:
        evaluate(model, 0, some_tokens(9))
        with pytest.raises(ValueError):
            model.memory.divide(0, 0, 9, divisor)
        assert model.memory.position_max(0) == 8

    def test_a_division_that_would_pass_other_tokens_is_refused(self, model: CausalModel) -> None:
        if not model.info.can_shift:
            pytest.skip("this model cannot shift")
        evaluate(model, 0, some_tokens(10))
        with pytest.raises(ValueError):
            model.memory.divide(0, 8, 10, 2)
        assert model.memory.position_max(0) == 9
