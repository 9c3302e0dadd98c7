"""The contract for rows of media: what says the same as tokens is worth the same."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from service.engine.language_model import CacheFull, CausalModel, DecodeFailed, Logits, MediaSegment, Rows, Segment
from service.engine.request.media import Grid, MediaChunk
from tests.contract.base import ContractTests, evaluate, positions, some_tokens

#: Rows that say the same to a model as tokens.
RowsOf = Callable[[Sequence[int]], Rows]


def chunk_of(
    rows: Rows, *, is_causal: bool = True, grid: Grid | None = None, n_positions: int | None = None
) -> MediaChunk:
    """A chunk of these rows."""
    return MediaChunk(b"chunk", rows, grid, len(rows) if n_positions is None else n_positions, is_causal)


def square(rows: Rows, side: int) -> MediaChunk:
    """A chunk whose rows are a square, line by line."""
    grid = np.array([(0, y, x) for y in range(side) for x in range(side)], np.int32)
    return chunk_of(rows, grid=grid, n_positions=side)


def show(model: CausalModel, seq_id: int, position: int, chunk: MediaChunk) -> Logits:
    """Append a chunk to a sequence that goes on at ``position``; a copy of the logits behind it."""
    model.compute.decode_media([MediaSegment(seq_id, position, chunk, 0, len(chunk.rows), wants_logits=True)])
    return model.compute.logits(0).copy()


def tell(model: CausalModel, seq_id: int, position: int, tokens: list[int]) -> Logits:
    """Append tokens to a sequence that goes on at ``position``; a copy of the logits behind them."""
    model.compute.decode([Segment(seq_id, position, tokens, n_logits=1)])
    return model.compute.logits(0).copy()


class MediaContract(ContractTests):
    """What holds for all models that take media."""

    @pytest.fixture
    def rows_of(self) -> RowsOf:
        """Must be overridden."""
        raise NotImplementedError

    def test_info_tells_what_rows_there_may_be(self, model: CausalModel, rows_of: RowsOf) -> None:
        assert rows_of([65, 66]).shape == (2, model.info.n_embd_input)
        assert 0 < model.info.n_whole <= model.info.n_batch

    def test_rows_are_worth_what_tokens_that_say_the_same_are(self, model: CausalModel, rows_of: RowsOf) -> None:
        text = some_tokens(20)
        tell(model, 0, 0, text[:6])
        last = show(model, 0, 6, chunk_of(rows_of(text[6:15])))
        self.assert_same(last, evaluate(model, 1, text[:15]))
        self.assert_same(tell(model, 0, 15, text[15:]), evaluate(model, 1, text[15:]))
        assert (positions(model), model.memory.cells_free) == ([19, 19, -1], 56)

    def test_a_sequence_can_begin_with_rows_and_have_several_chunks(self, model: CausalModel, rows_of: RowsOf) -> None:
        text = some_tokens(12)
        show(model, 0, 0, chunk_of(rows_of(text[:4])))
        show(model, 0, 4, chunk_of(rows_of(text[4:7])))
        tell(model, 0, 7, text[7:9])
        last = show(model, 0, 9, chunk_of(rows_of(text[9:])))
        self.assert_same(last, evaluate(model, 1, text))

    def test_other_rows_make_a_difference(self, model: CausalModel, rows_of: RowsOf) -> None:
        text = some_tokens(8)
        row = show(model, 0, 0, chunk_of(rows_of(text)))
        other = show(model, 1, 0, chunk_of(rows_of([*text[:-1], text[-1] + 1])))
        assert not np.allclose(row, other)

    def test_several_sequences_can_have_rows_in_one_call(self, model: CausalModel, rows_of: RowsOf) -> None:
        texts = [some_tokens(length, seed=length) for length in (9, 1, 4)]
        tell(model, 2, 0, texts[2][:2])
        chunks = [chunk_of(rows_of(text)) for text in (texts[0], texts[1], texts[2][2:])]
        model.compute.decode_media(
            [
                MediaSegment(seq_id, position, chunk, 0, len(chunk.rows), wants_logits=seq_id != 1)
                for seq_id, position, chunk in zip(range(3), (0, 0, 2), chunks, strict=True)
            ]
        )
        assert model.compute.all_logits().shape == (2, model.info.n_vocab)
        rows = [model.compute.logits(index).copy() for index in (0, 2)]
        with pytest.raises(ValueError):
            model.compute.logits(1)
        assert positions(model) == [8, 0, 3]
        for row, text in zip(rows, (texts[0], texts[2]), strict=True):
            assert model.memory.remove(0, 0, -1)
            self.assert_same(row, evaluate(model, 0, text))

    def test_a_chunk_in_parts_equals_the_chunk_at_once(self, model: CausalModel, rows_of: RowsOf) -> None:
        text = some_tokens(14)
        chunk = chunk_of(rows_of(text[3:]))
        for seq_id, cuts in ((0, (0, 11)), (1, (0, 1, 7, 8, 11))):
            tell(model, seq_id, 0, text[:3])
            for start, end in itertools.pairwise(cuts):
                model.compute.decode_media([MediaSegment(seq_id, 3, chunk, start, end - start)])
        assert positions(model) == [13, 13, -1]
        self.assert_same(tell(model, 1, 14, [65]), tell(model, 0, 14, [65]))

    def test_rows_without_logits_give_none(self, model: CausalModel, rows_of: RowsOf) -> None:
        model.compute.decode_media([MediaSegment(0, 0, chunk_of(rows_of([65, 66])), 0, 2)])
        assert model.compute.all_logits().shape == (0, model.info.n_vocab)
        with pytest.raises(ValueError):
            model.compute.logits(0)

    def test_rows_can_be_removed_and_evaluated_again(self, model: CausalModel, rows_of: RowsOf) -> None:
        text = some_tokens(12)
        chunk = chunk_of(rows_of(text[4:10]))
        tell(model, 0, 0, text[:4])
        show(model, 0, 4, chunk_of(rows_of(some_tokens(6, seed=1))))
        tell(model, 0, 10, [65, 66, 67])
        if not model.memory.remove(0, 4, -1):
            pytest.skip("this model cannot remove a part of a sequence")
        assert (positions(model), model.memory.cells_free) == ([3, -1, -1], 92)
        show(model, 0, 4, chunk)
        self.assert_same(tell(model, 0, 10, text[10:]), evaluate(model, 1, text))

    def test_rows_can_be_removed_in_part(self, model: CausalModel, rows_of: RowsOf) -> None:
        text = some_tokens(9)
        chunk = chunk_of(rows_of(text[:7]))
        show(model, 0, 0, chunk)
        if not model.memory.remove(0, 3, -1):
            pytest.skip("this model cannot remove a part of a sequence")
        model.compute.decode_media([MediaSegment(0, 0, chunk, 3, 4)])
        self.assert_same(tell(model, 0, 7, text[7:]), evaluate(model, 1, text))

    def test_rows_can_be_shared_and_unshared(self, model: CausalModel, rows_of: RowsOf) -> None:
        text = some_tokens(12)
        tell(model, 0, 0, text[:2])
        show(model, 0, 2, chunk_of(rows_of(text[2:10])))
        if not model.memory.fork(0, 1, 10):
            pytest.skip("this model cannot share a part of a sequence")
        assert (positions(model), model.memory.cells_free) == ([9, 9, -1], 86)
        model.memory.unshare(1)
        assert model.memory.cells_free == 76
        assert model.memory.remove(0, 0, -1)
        self.assert_same(tell(model, 1, 10, text[10:]), evaluate(model, 2, text))

    def test_rows_can_be_saved_and_restored(self, model: CausalModel, rows_of: RowsOf) -> None:
        text = some_tokens(12)
        tell(model, 0, 0, text[:2])
        show(model, 0, 2, chunk_of(rows_of(text[2:10])))
        saved = model.memory.save(0)
        assert saved.n_cells == 10
        assert model.memory.remove(0, 0, -1)
        tell(model, 2, 0, some_tokens(20, seed=1))
        model.memory.restore(1, saved)
        assert (positions(model), model.memory.cells_free) == ([-1, 9, 19], 66)
        self.assert_same(tell(model, 1, 10, text[10:]), evaluate(model, 0, text))

    def test_a_shift_drops_rows(self, model: CausalModel, rows_of: RowsOf) -> None:
        if not (model.info.can_shift and self.shift_is_exact):
            pytest.skip("this model cannot shift, or deeper layers keep what they saw of removed rows")
        show(model, 0, 0, chunk_of(rows_of(some_tokens(5))))
        tell(model, 0, 5, [65, 66])
        assert model.memory.remove(0, 0, 5)
        model.memory.shift(0, 5, -1, -5)
        self.assert_same(tell(model, 0, 2, [67]), evaluate(model, 1, [65, 66, 67]))

    def test_rows_need_room(self, model: CausalModel, rows_of: RowsOf) -> None:
        text = some_tokens(8, seed=1)
        tell(model, 1, 0, text[:6])
        model.compute.decode([Segment(0, 0, some_tokens(86), 0)])
        chunk = chunk_of(rows_of(some_tokens(5)))
        with pytest.raises(CacheFull):
            show(model, 1, 6, chunk)
        assert (positions(model), model.memory.cells_free) == ([85, 5, -1], 4)
        self.assert_same(tell(model, 1, 6, text[6:]), self._alone(model, text))

    def test_every_cell_can_have_a_row(self, model: CausalModel, rows_of: RowsOf) -> None:
        chunk, step = chunk_of(rows_of(some_tokens(96))), min(model.info.n_batch, 96)
        for start in range(0, 96, step):
            model.compute.decode_media([MediaSegment(0, 0, chunk, start, min(step, 96 - start))])
        assert (positions(model), model.memory.cells_free) == ([95, -1, -1], 0)

    def test_rows_that_are_not_causal_see_those_behind_them(self, model: CausalModel, rows_of: RowsOf) -> None:
        text = some_tokens(12)
        rows = rows_of(text[3:9])
        for seq_id, is_causal in ((0, False), (1, True), (2, False)):
            tell(model, seq_id, 0, text[:3])
            show(model, seq_id, 3, chunk_of(rows, is_causal=is_causal))
        behind = [tell(model, seq_id, 9, text[9:]) for seq_id in range(3)]
        self.assert_same(behind[2], behind[0])
        assert positions(model) == [11, 11, 11]
        if not self.shift_is_exact:
            assert not np.allclose(behind[0], behind[1], atol=1e-3)

    def test_one_row_that_is_not_causal_is_like_others(self, model: CausalModel, rows_of: RowsOf) -> None:
        text = some_tokens(6)
        tell(model, 0, 0, text[:3])
        show(model, 0, 3, chunk_of(rows_of(text[3:4]), is_causal=False))
        self.assert_same(tell(model, 0, 4, text[4:]), evaluate(model, 1, text))

    def test_text_is_causal_after_rows_that_are_not(self, model: CausalModel, rows_of: RowsOf) -> None:
        text, chunk = some_tokens(12), chunk_of(rows_of(some_tokens(4)), is_causal=False)
        reference = self._alone(model, text)
        show(model, 0, 0, chunk)
        self.assert_same(evaluate(model, 1, text), reference)
        model.compute.decode([Segment(0, 4, some_tokens(78), 0)])
        with pytest.raises(CacheFull):
            show(model, 2, 0, chunk)
        assert model.memory.remove(0, 0, -1)
        self.assert_same(evaluate(model, 2, text), reference)

    def test_rows_that_are_not_causal_can_be_as_many_as_the_model_says(
        self, embedder: CausalModel, rows_of: RowsOf
    ) -> None:
        n_whole = min(embedder.info.n_whole, embedder.memory.cells_free)
        show(embedder, 0, 0, chunk_of(rows_of(some_tokens(n_whole)), is_causal=False))
        assert embedder.memory.position_max(0) == n_whole - 1
        with pytest.raises(DecodeFailed):
            show(embedder, 1, 0, chunk_of(rows_of([65] * (embedder.info.n_whole + 1)), is_causal=False))
        assert positions(embedder) == [n_whole - 1, -1, -1]

    def test_rows_of_no_numbers_harm_nobody_else(self, model: CausalModel, rows_of: RowsOf) -> None:
        text = some_tokens(10)
        reference = self._alone(model, text)
        tell(model, 1, 0, text[:5])
        nothing = chunk_of(np.full_like(rows_of([65, 66, 67]), np.nan))
        show(model, 0, 0, nothing)
        self.assert_same(tell(model, 1, 5, text[5:]), reference)
        assert model.memory.remove(0, 0, -1)
        assert model.memory.remove(1, 0, -1)
        self.assert_same(self._alone(model, text), reference)

    @pytest.mark.parametrize(
        ("seq_id", "position", "start", "n_rows"),
        [
            pytest.param(3, 0, 0, 4, id="sequence too high"),
            pytest.param(-1, 0, 0, 4, id="sequence negative"),
            pytest.param(0, 3, 0, 4, id="gap in a sequence"),
            pytest.param(0, 1, 0, 4, id="position taken"),
            pytest.param(1, 1, 0, 4, id="empty sequence that does not begin at 0"),
            pytest.param(1, -1, 0, 4, id="position negative"),
            pytest.param(1, 2**31 - 2, 0, 4, id="position too high"),
            pytest.param(1, 0, 0, 0, id="no rows"),
            pytest.param(1, 0, 0, 5, id="more rows than the chunk has"),
            pytest.param(0, 2, 4, 1, id="behind the rows of the chunk"),
            pytest.param(0, 2, -1, 2, id="before the rows of the chunk"),
            pytest.param(1, 0, 2, 2, id="second part of a chunk without the first"),
        ],
    )
    def test_wrong_rows_raise_and_change_nothing(
        self, model: CausalModel, rows_of: RowsOf, seq_id: int, position: int, start: int, n_rows: int
    ) -> None:
        evaluate(model, 0, [65, 66])
        chunk = chunk_of(rows_of([67, 68, 69, 70]))
        with pytest.raises(DecodeFailed):
            model.compute.decode_media([MediaSegment(seq_id, position, chunk, start, n_rows)])
        self._assert_unharmed(model)

    def test_wrong_calls_raise_and_change_nothing(self, model: CausalModel, rows_of: RowsOf) -> None:
        evaluate(model, 0, [65, 66])
        rows = rows_of([67, 68, 69, 70])
        causal, whole = chunk_of(rows), chunk_of(rows, is_causal=False)
        many = chunk_of(np.repeat(rows[:1], model.info.n_batch + 1, axis=0))
        for segments in (
            [],
            [MediaSegment(0, 2, causal, 0, 2), MediaSegment(0, 4, causal, 2, 2)],
            [MediaSegment(1, 0, whole, 0, 2)],
            [MediaSegment(1, 0, whole, 0, 4), MediaSegment(2, 0, causal, 0, 4)],
            [MediaSegment(1, 0, many, 0, len(many.rows))],
            [MediaSegment(1, 0, chunk_of(rows.astype(np.float64)), 0, 4)],
            [MediaSegment(1, 0, chunk_of(rows[:, :-1].copy()), 0, 4)],
            [MediaSegment(1, 0, chunk_of(np.repeat(rows, 2, axis=1)), 0, 4)],
            [MediaSegment(1, 0, chunk_of(rows, n_positions=2), 0, 4)],
        ):
            with pytest.raises(DecodeFailed):
                model.compute.decode_media(segments)
        self._assert_unharmed(model)

    def test_hidden_states_of_rows_are_those_of_tokens(self, embedder: CausalModel, rows_of: RowsOf) -> None:
        text = some_tokens(12)
        reference = embedder.compute.hidden([Segment(0, 0, text, 0)])
        first = embedder.compute.hidden([Segment(1, 0, text[:3], 0)])
        chunk = chunk_of(rows_of(text[3:9]))
        between = [embedder.compute.hidden_media([MediaSegment(1, 3, chunk, start, 3)]) for start in (0, 3)]
        last = embedder.compute.hidden([Segment(1, 9, text[9:], 0)])
        assert positions(embedder) == [11, 11, -1]
        for row, other in zip(np.concatenate([first, *between, last]), reference, strict=True):
            self.assert_same(row, other)
        with pytest.raises(ValueError):
            embedder.compute.logits(0)

    def test_hidden_states_come_in_the_order_of_segments(self, embedder: CausalModel, rows_of: RowsOf) -> None:
        texts = [some_tokens(length, seed=length) for length in (4, 7)]
        chunks = [chunk_of(rows_of(text)) for text in texts]
        both = embedder.compute.hidden_media([MediaSegment(i, 0, chunks[i], 0, len(texts[i])) for i in (1, 0)])
        assert both.shape == (11, embedder.info.n_embd)
        reference = [embedder.compute.hidden([Segment(2, 0, texts[1], 0)])]
        assert embedder.memory.remove(2, 0, -1)
        reference.append(embedder.compute.hidden([Segment(2, 0, texts[0], 0)]))
        for row, other in zip(both, np.concatenate(reference), strict=True):
            self.assert_same(row, other)

    def test_hidden_states_of_too_many_rows_are_refused(self, embedder: CausalModel, rows_of: RowsOf) -> None:
        chunk = chunk_of(rows_of([65] * (embedder.info.n_hidden + 1)))
        with pytest.raises(DecodeFailed):
            embedder.compute.hidden_media([MediaSegment(0, 0, chunk, 0, embedder.info.n_hidden + 1)])
        assert positions(embedder) == [-1, -1, -1]
        assert (
            len(embedder.compute.hidden_media([MediaSegment(0, 0, chunk, 0, embedder.info.n_hidden)]))
            == len(chunk.rows) - 1
        )

    def _alone(self, model: CausalModel, text: list[int]) -> Logits:
        """The logits behind a text in sequence 2, which is empty before and afterwards."""
        assert model.memory.remove(0, 0, -1)
        row = evaluate(model, 2, text)
        assert model.memory.remove(2, 0, -1)
        return row

    def _assert_unharmed(self, model: CausalModel) -> None:
        assert (positions(model), model.memory.cells_free) == ([1, -1, -1], 94)
        self.assert_same(evaluate(model, 0, [67]), evaluate(model, 1, [65, 66, 67]))


class NoGridContract(MediaContract):
    """What holds for models whose positions are numbers."""

    def test_a_grid_is_refused(self, model: CausalModel, rows_of: RowsOf) -> None:
        assert not model.info.has_grid
        evaluate(model, 0, [65, 66])
        with pytest.raises(DecodeFailed):
            show(model, 0, 2, square(rows_of([67] * 4), 2))
        self._assert_unharmed(model)


class GridContract(MediaContract):
    """What holds for models whose rows have positions in time, y and x."""

    def test_positions_cannot_be_shifted(self, model: CausalModel) -> None:
        assert model.info.has_grid
        assert not model.info.can_shift

    def test_a_grid_of_one_row_is_worth_a_token(self, model: CausalModel, rows_of: RowsOf) -> None:
        text = some_tokens(7)
        tell(model, 0, 0, text[:3])
        show(model, 0, 3, square(rows_of(text[3:4]), 1))
        self.assert_same(tell(model, 0, 4, text[4:]), evaluate(model, 1, text))

    def test_rows_of_a_grid_share_a_position_but_no_cells(self, model: CausalModel, rows_of: RowsOf) -> None:
        tell(model, 0, 0, [65, 66])
        show(model, 0, 2, square(rows_of(some_tokens(16)), 4))
        assert (positions(model), model.memory.cells_free) == ([2, -1, -1], 78)
        tell(model, 0, 6, [67, 68])
        assert (positions(model), model.memory.cells_free) == ([7, -1, -1], 76)

    def test_where_a_row_is_makes_a_difference(self, model: CausalModel, rows_of: RowsOf) -> None:
        rows = rows_of(some_tokens(6))
        behind = []
        for seq_id, (height, width) in enumerate(((2, 3), (3, 2))):
            grid = np.array([(0, y, x) for y in range(height) for x in range(width)], np.int32)
            show(model, seq_id, 0, chunk_of(rows, grid=grid, n_positions=3))
            behind.append(tell(model, seq_id, 3, [65, 66]))
        assert not np.allclose(behind[0], behind[1])

    def test_a_grid_in_parts_equals_the_grid_at_once(self, model: CausalModel, rows_of: RowsOf) -> None:
        chunk = square(rows_of(some_tokens(9)), 3)
        for seq_id, cuts in ((0, (0, 9)), (1, (0, 2, 8, 9))):
            tell(model, seq_id, 0, [65, 66])
            for start, end in itertools.pairwise(cuts):
                model.compute.decode_media([MediaSegment(seq_id, 2, chunk, start, end - start)])
        assert (positions(model), model.memory.cells_free) == ([2, 2, -1], 74)
        self.assert_same(tell(model, 1, 5, [67]), tell(model, 0, 5, [67]))

    @pytest.mark.parametrize("position", [2, 3, 4, 6])
    def test_what_follows_a_grid_is_behind_all_of_it(self, model: CausalModel, rows_of: RowsOf, position: int) -> None:
        tell(model, 0, 0, [65, 66])
        chunk = square(rows_of(some_tokens(9)), 3)
        show(model, 0, 2, chunk)
        with pytest.raises(DecodeFailed):
            tell(model, 0, position, [67])
        with pytest.raises(DecodeFailed):
            show(model, 0, position, chunk)
        assert (positions(model), model.memory.cells_free) == ([2, -1, -1], 85)
        show(model, 0, 5, chunk)
        assert (positions(model), model.memory.cells_free) == ([5, -1, -1], 76)

    def test_a_grid_is_removed_as_a_whole(self, model: CausalModel, rows_of: RowsOf) -> None:
        text, chunk = some_tokens(6), square(rows_of(some_tokens(4, seed=1)), 2)
        for seq_id in range(2):
            tell(model, seq_id, 0, text[:3])
            show(model, seq_id, 3, chunk)
        tell(model, 0, 5, [65, 66, 67])
        if not model.memory.remove(0, 5, -1):
            pytest.skip("this model cannot remove a part of a sequence")
        assert (positions(model), model.memory.cells_free) == ([3, 3, -1], 82)
        self.assert_same(tell(model, 0, 5, [68]), tell(model, 1, 5, [68]))
        assert model.memory.remove(0, 3, -1)
        assert (positions(model), model.memory.cells_free) == ([2, 5, -1], 85)
        self.assert_same(tell(model, 0, 3, text[3:]), evaluate(model, 2, text))

    def test_a_grid_can_be_shared_and_unshared(self, model: CausalModel, rows_of: RowsOf) -> None:
        chunk = square(rows_of(some_tokens(9)), 3)
        tell(model, 0, 0, [65, 66])
        show(model, 0, 2, chunk)
        if not model.memory.fork(0, 1, 5):
            pytest.skip("this model cannot share a part of a sequence")
        assert (positions(model), model.memory.cells_free) == ([2, 2, -1], 85)
        reference = tell(model, 0, 5, [67])
        model.memory.unshare(1)
        assert model.memory.cells_free == 73
        assert model.memory.remove(0, 0, -1)
        tell(model, 0, 0, some_tokens(20))
        self.assert_same(tell(model, 1, 5, [67]), reference)

    def test_a_fork_before_a_grid_leaves_it_out(self, model: CausalModel, rows_of: RowsOf) -> None:
        text = some_tokens(5)
        tell(model, 0, 0, text[:3])
        show(model, 0, 3, square(rows_of(some_tokens(9)), 3))
        if not model.memory.fork(0, 1, 3):
            pytest.skip("this model cannot share a part of a sequence")
        assert (positions(model), model.memory.cells_free) == ([3, 2, -1], 84)
        self.assert_same(tell(model, 1, 3, text[3:]), evaluate(model, 2, text))

    def test_a_grid_can_be_saved_and_restored(self, model: CausalModel, rows_of: RowsOf) -> None:
        tell(model, 0, 0, [65, 66])
        show(model, 0, 2, square(rows_of(some_tokens(9)), 3))
        saved = model.memory.save(0)
        assert saved.n_cells == 11
        reference = tell(model, 0, 5, [67])
        assert model.memory.remove(0, 0, -1)
        tell(model, 2, 0, some_tokens(20, seed=1))
        model.memory.restore(1, saved)
        assert (positions(model), model.memory.cells_free) == ([-1, 2, 19], 65)
        with pytest.raises(DecodeFailed):
            tell(model, 1, 3, [67])
        self.assert_same(tell(model, 1, 5, [67]), reference)

    def test_a_grid_needs_room(self, model: CausalModel, rows_of: RowsOf) -> None:
        model.compute.decode([Segment(0, 0, some_tokens(88), 0)])
        with pytest.raises(CacheFull):
            show(model, 1, 0, square(rows_of(some_tokens(9)), 3))
        assert (positions(model), model.memory.cells_free) == ([87, -1, -1], 8)

    def test_a_wrong_grid_raises_and_changes_nothing(self, model: CausalModel, rows_of: RowsOf) -> None:
        evaluate(model, 0, [65, 66])
        rows = rows_of([67, 68, 69, 70])
        right = square(rows, 2)
        assert right.grid is not None
        wide: Any = right.grid.astype(np.int64)
        for grid, n_positions in (
            (right.grid[:3], 2),
            (right.grid[:, :2], 2),
            (wide, 2),
            (right.grid - 1, 2),
            (right.grid, 1),
            (right.grid + np.array([1, 0, 0], np.int32), 2),
        ):
            with pytest.raises(DecodeFailed):
                show(model, 0, 2, chunk_of(rows, grid=grid, n_positions=n_positions))
        for start, n_rows in ((1, 1), (2, 2)):
            with pytest.raises(DecodeFailed):
                model.compute.decode_media([MediaSegment(0, 2, right, start, n_rows)])
        self._assert_unharmed(model)
