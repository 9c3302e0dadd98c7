"""The bookkeeping of cells equals lists of objects that are kept the slow way."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from service.llama.context.cells import Cells

if TYPE_CHECKING:
    from collections.abc import Callable

N_CELLS, N_SEQ = 60, 4
POSITIONS = st.integers(0, 40)
SEQ_IDS = st.integers(0, N_SEQ - 1)


class Token:
    """A token or a row in a cell; sequences share it by holding the same object."""

    def __init__(self, position: int, span: int | None = None) -> None:
        self.position = position
        #: By how much positions go on behind the grid that a row belongs to.
        self.span = span


class CellsMachine(RuleBasedStateMachine):
    """Any order of operations."""

    @initialize()
    def start(self) -> None:
        self.cells = Cells(N_CELLS, N_SEQ)
        self.tokens: list[list[Token]] = [[] for _ in range(N_SEQ)]

    @rule(seq_id=SEQ_IDS, n_tokens=st.integers(1, 12))
    def append(self, seq_id: int, n_tokens: int) -> None:
        start = self.end(seq_id)
        if n_tokens > self.free():
            with pytest.raises(IndexError):
                self.cells.append(seq_id, n_tokens)
        else:
            self.cells.append(seq_id, n_tokens)
            self.tokens[seq_id] += [Token(position) for position in range(start, start + n_tokens)]

    @rule(seq_id=SEQ_IDS, n_rows=st.integers(1, 9), n_more=st.integers(0, 3), span=st.integers(1, 5))
    def append_grid(self, seq_id: int, n_rows: int, n_more: int, span: int) -> None:
        start = self.end(seq_id)
        if n_rows + n_more > self.free():
            with pytest.raises(IndexError):
                self.cells.append_grid(seq_id, n_rows + n_more, span, goes_on=False)
            return
        self.cells.append_grid(seq_id, n_rows, span, goes_on=False)
        if n_more:
            self.cells.append_grid(seq_id, n_more, span, goes_on=True)
        self.tokens[seq_id] += [Token(start, span) for _ in range(n_rows + n_more)]

    @rule(seq_id=SEQ_IDS, start=POSITIONS, end=POSITIONS)
    def remove(self, seq_id: int, start: int, end: int) -> None:
        self.cells.remove(seq_id, start, end)
        self.tokens[seq_id] = [token for token in self.tokens[seq_id] if not start <= token.position < end]

    @precondition(lambda self: not all(self.tokens))
    @rule(source=SEQ_IDS, end=POSITIONS)
    def fork(self, source: int, end: int) -> None:
        target = next(seq_id for seq_id in range(N_SEQ) if not self.tokens[seq_id])
        self.cells.fork(source, target, end)
        self.tokens[target] = [token for token in self.tokens[source] if token.position < end]

    @precondition(lambda self: not all(self.tokens))
    @rule(source=SEQ_IDS)
    def restore(self, source: int) -> None:
        target = next(seq_id for seq_id in range(N_SEQ) if not self.tokens[seq_id])
        places = self.cells.places(source)
        if len(places.positions) > self.free():
            with pytest.raises(IndexError):
                self.cells.restore(target, places)
        else:
            self.cells.restore(target, places)
            self.tokens[target] = [Token(token.position, token.span) for token in self.tokens[source]]

    @rule(seq_id=SEQ_IDS, start=POSITIONS, end=POSITIONS)
    def own(self, seq_id: int, start: int, end: int) -> None:
        inside = [token for token in self.tokens[seq_id] if start <= token.position < end]
        if len(inside) > self.free():
            with pytest.raises(IndexError):
                self.cells.own(seq_id, start, end)
        else:
            self.cells.own(seq_id, start, end)
            self.tokens[seq_id] = [
                Token(token.position, token.span) if token in inside else token for token in self.tokens[seq_id]
            ]

    @rule(seq_id=SEQ_IDS, start=POSITIONS, end=POSITIONS, delta=st.integers(-20, 20))
    def shift(self, seq_id: int, start: int, end: int, delta: int) -> None:
        self.move(
            seq_id,
            start,
            end,
            lambda position: position + delta,
            min_distance=1,
            operation=lambda: self.cells.shift(seq_id, start, end, delta),
        )

    @rule(seq_id=SEQ_IDS, start=POSITIONS, end=POSITIONS, divisor=st.integers(1, 5))
    def divide(self, seq_id: int, start: int, end: int, divisor: int) -> None:
        before = sorted({token.position for token in self.tokens[seq_id] if start <= token.position < end})
        changes = self.move(
            seq_id,
            start,
            end,
            lambda position: position // divisor,
            min_distance=0,
            operation=lambda: self.cells.divide(seq_id, start, end, divisor),
        )
        if changes is not None:
            moved = {position: position // divisor - position for position in before}
            assert changes == [(position, delta) for position, delta in moved.items() if delta]

    def move(
        self,
        seq_id: int,
        start: int,
        end: int,
        change: Callable[[int], int],
        *,
        min_distance: int,
        operation: Callable[[], list[tuple[int, int]] | None],
    ) -> list[tuple[int, int]] | None:
        """Move positions in both, or find that it is refused."""
        moved = [start <= token.position < end for token in self.tokens[seq_id]]
        positions = [
            change(token.position) if is_moved else token.position
            for token, is_moved in zip(self.tokens[seq_id], moved, strict=True)
        ]
        is_apart = all(
            positions[i + 1] - positions[i] >= min_distance
            for i, (left, right) in enumerate(itertools.pairwise(moved))
            if left != right
        )
        is_shared = any(
            self.holders(token) > 1 for token, is_moved in zip(self.tokens[seq_id], moved, strict=True) if is_moved
        )
        has_grid = any(moved) and any(token.span is not None for token in self.tokens[seq_id])
        if has_grid or is_shared or not is_apart or min(positions, default=0) < 0:
            with pytest.raises(ValueError):
                operation()
            return None
        result = operation()
        for token, position in zip(self.tokens[seq_id], positions, strict=True):
            token.position = position
        return result

    def end(self, seq_id: int) -> int:
        """The position behind the last one."""
        if not self.tokens[seq_id]:
            return 0
        last = self.tokens[seq_id][-1]
        return last.position + (1 if last.span is None else last.span)

    def free(self) -> int:
        """Cells without a token."""
        return N_CELLS - len({id(token) for tokens in self.tokens for token in tokens})

    def holders(self, token: Token) -> int:
        """Sequences that hold a token."""
        return sum(token in tokens for tokens in self.tokens)

    @invariant()
    def free_cells_agree(self) -> None:
        assert self.cells.free == self.free()

    @invariant()
    def positions_agree(self) -> None:
        for seq_id, tokens in enumerate(self.tokens):
            assert self.cells.start(seq_id) == min((token.position for token in tokens), default=0)
            assert self.cells.end(seq_id) == self.end(seq_id)
            assert self.cells.highest(seq_id) == max((token.position for token in tokens), default=-1)
            for start, end in ((0, 100), (3, 17), (9, 10)):
                assert self.cells.count(seq_id, start, end) == sum(start <= token.position < end for token in tokens)

    @invariant()
    def shared_cells_agree(self) -> None:
        for seq_id, tokens in enumerate(self.tokens):
            shared = {token.position for token in tokens if self.holders(token) > 1}
            assert self.cells.count_shared(seq_id) == sum(self.holders(token) > 1 for token in tokens)
            ranges = self.cells.shared_ranges(seq_id, 8)
            held = [token.position for token in tokens for start, end in ranges if start <= token.position < end]
            assert set(held) == shared
            assert all(start // 8 == (end - 1) // 8 for start, end in ranges)
            assert all(left[1] <= right[0] for left, right in itertools.pairwise(ranges))


TestCells = CellsMachine.TestCase


def test_positions_beyond_32_bits_are_refused() -> None:
    cells = Cells(4, 1)
    cells.append(0, 4)
    with pytest.raises(ValueError, match=r"cannot have the positions 2147483645 to 2147483648"):
        cells.shift(0, 0, 4, 2**31 - 3)
    assert cells.end(0) == 4


def test_a_divisor_below_1_is_refused() -> None:
    with pytest.raises(ValueError, match="divisor 0 is below 1"):
        Cells(4, 1).divide(0, 0, 4, 0)


def test_refusals_tell_why() -> None:
    cells = Cells(20, 2)
    cells.append(0, 10)
    with pytest.raises(ValueError, match="cannot have the positions -1 to 8"):
        cells.shift(0, 0, 10, -1)
    with pytest.raises(ValueError, match="position 4 would not follow position 4 of sequence 0"):
        cells.shift(0, 5, 10, -1)
    with pytest.raises(ValueError, match="position 5 would not precede position 5 of sequence 0"):
        cells.shift(0, 0, 5, 1)
    cells.append_grid(1, 4, 2, goes_on=False)
    with pytest.raises(ValueError, match="sequence 1 has rows of a grid, whose positions cannot change"):
        cells.shift(1, 0, 1, 3)
    cells.remove(1, 0, 1)
    cells.fork(0, 1, 3)
    with pytest.raises(ValueError, match="sequence 1 shares positions of 0 to 2: unshare it first"):
        cells.shift(1, 0, 3, 1)
