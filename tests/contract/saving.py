"""The contract for copies of sequences outside of the cache."""

from __future__ import annotations

import pytest

from service.engine.language_model import CacheFull, CausalModel, DecodeFailed, Segment
from tests.contract.base import ContractTests, evaluate, fork, positions, some_tokens


class SavingContract(ContractTests):
    """The tests."""

    def test_a_restored_sequence_goes_on_as_the_saved_one_would(self, model: CausalModel) -> None:
        text = some_tokens(20)
        evaluate(model, 0, text)
        saved = model.memory.save(0)
        assert (saved.n_cells, model.memory.cells_free) == (20, 76)
        assert saved.n_bytes > 0
        expected = evaluate(model, 0, [65, 66])
        model.memory.restore(2, saved)
        assert (positions(model), model.memory.cells_free) == ([21, -1, 19], 54)
        self.assert_same(evaluate(model, 2, [65, 66]), expected)

    def test_a_saved_sequence_outlives_its_cells(self, model: CausalModel) -> None:
        text = some_tokens(30)
        evaluate(model, 1, text)
        saved = model.memory.save(1)
        assert model.memory.remove(1, 0, -1)
        for _ in range(2):
            evaluate(model, 0, some_tokens(90, seed=1))
            assert model.memory.remove(0, 0, -1)
            model.memory.restore(1, saved)
            row = evaluate(model, 1, [65])
            assert model.memory.remove(1, 0, -1)
            self.assert_same(row, evaluate(model, 2, [*text, 65]))
            assert model.memory.remove(2, 0, -1)

    def test_a_restored_sequence_shares_no_cells(self, model: CausalModel) -> None:
        text = some_tokens(12)
        evaluate(model, 0, text)
        fork(model, 0, 1, 12)
        saved = model.memory.save(1)
        assert saved.n_cells == 12
        assert model.memory.remove(1, 0, -1)
        assert model.memory.cells_free == 84
        model.memory.restore(1, saved)
        assert model.memory.cells_free == 72
        assert model.memory.remove(0, 0, -1)
        self.assert_same(evaluate(model, 1, [65]), evaluate(model, 2, [*text, 65]))

    def test_a_packed_sequence_goes_on_as_the_saved_one_would(self, model: CausalModel) -> None:
        assert model.info.sequence_format
        evaluate(model, 0, some_tokens(20))
        packed = b"".join(model.memory.pack(model.memory.save(0)))
        expected = evaluate(model, 0, [65, 66])
        saved = model.memory.unpack(memoryview(packed))
        assert saved.n_cells == 20
        model.memory.restore(2, saved)
        assert (positions(model), model.memory.cells_free) == ([21, -1, 19], 54)
        self.assert_same(evaluate(model, 2, [65, 66]), expected)

    def test_an_empty_sequence_can_be_packed(self, model: CausalModel) -> None:
        packed = b"".join(model.memory.pack(model.memory.save(0)))
        model.memory.restore(1, model.memory.unpack(memoryview(packed)))
        assert positions(model) == [-1, -1, -1]

    def test_what_was_not_packed_is_refused_or_cannot_be_restored(self, model: CausalModel) -> None:
        evaluate(model, 0, some_tokens(20))
        packed = b"".join(model.memory.pack(model.memory.save(0)))
        for cut in (packed[:1], packed[:7], packed[:50], packed[:-1], packed[: len(packed) // 2 + 1]):
            with pytest.raises((ValueError, DecodeFailed)):
                model.memory.restore(1, model.memory.unpack(memoryview(cut)))
            assert (positions(model), model.memory.cells_free) == ([19, -1, -1], 76)

    def test_a_beginning_of_a_restored_sequence_can_be_kept(self, model: CausalModel) -> None:
        text = some_tokens(14)
        evaluate(model, 0, text)
        saved = model.memory.save(0)
        model.memory.restore(1, saved)
        if not model.memory.remove(1, 9, -1):
            pytest.skip("this model cannot remove a part of a sequence")
        self.assert_same(evaluate(model, 1, [65]), evaluate(model, 2, [*text[:9], 65]))

    def test_saving_keeps_what_was_shifted(self, model: CausalModel) -> None:
        if not model.info.can_shift:
            pytest.skip("this model cannot shift positions")
        evaluate(model, 0, some_tokens(20))
        if not model.memory.remove(0, 4, 8):
            pytest.skip("this model cannot remove a part of a sequence")
        model.memory.shift(0, 8, 20, -4)
        model.memory.restore(1, model.memory.save(0))
        assert positions(model) == [15, 15, -1]
        self.assert_same(evaluate(model, 1, [65]), evaluate(model, 0, [65]))

    def test_restoring_without_room_changes_nothing(self, model: CausalModel) -> None:
        text = some_tokens(40)
        evaluate(model, 0, text)
        saved = model.memory.save(0)
        evaluate(model, 1, some_tokens(20, seed=1))
        with pytest.raises(CacheFull):
            model.memory.restore(2, saved)
        assert (positions(model), model.memory.cells_free) == ([39, 19, -1], 36)
        assert model.memory.remove(1, 0, -1)
        model.memory.restore(2, saved)
        assert (positions(model), model.memory.cells_free) == ([39, -1, 39], 16)

    def test_only_an_empty_sequence_can_be_restored(self, model: CausalModel) -> None:
        evaluate(model, 0, some_tokens(3))
        with pytest.raises(ValueError, match="not empty"):
            model.memory.restore(0, model.memory.save(0))
        assert positions(model) == [2, -1, -1]

    def test_an_empty_sequence_can_be_saved_and_restored(self, model: CausalModel) -> None:
        saved = model.memory.save(0)
        assert saved.n_cells == 0
        model.memory.restore(1, saved)
        assert (positions(model), model.memory.cells_free) == ([-1, -1, -1], 96)
        model.compute.decode([Segment(1, 0, some_tokens(3), 1)])
        assert model.memory.position_max(1) == 2
