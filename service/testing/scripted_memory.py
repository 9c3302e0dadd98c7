"""The scripted model's KV cache: every cell an object, so that sharing shows."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Cell:
    """One token at one position, held by one or several sequences."""

    __slots__ = ("holders", "position", "token")

    def __init__(self, token: int, position: int) -> None:
        self.token = token
        self.position = position
        self.holders = 1


class ScriptedMemory:
    """Cells of sequences, in the order of their tokens.

    Args:
        n_cells: cells that may exist at a time.
        n_seq_max: number of sequences.
    """

    def __init__(self, n_cells: int, n_seq_max: int) -> None:
        self.free = n_cells
        self._cells: list[list[Cell]] = [[] for _ in range(n_seq_max)]

    def cells(self, seq_id: int) -> Sequence[Cell]:
        """A sequence's cells, by token."""
        return self._cells[seq_id]

    def append(self, seq_id: int, position: int, tokens: Sequence[int]) -> None:
        """Write tokens to new cells."""
        self._cells[seq_id] += [Cell(token, place) for place, token in enumerate(tokens, position)]
        self.free -= len(tokens)

    def restore(self, seq_id: int, contents: Sequence[tuple[int, int]]) -> None:
        """Write tokens at any positions to new cells of an empty sequence."""
        self._cells[seq_id] = [Cell(token, position) for token, position in contents]
        self.free -= len(contents)

    def remove(self, seq_id: int, start: int, end: int) -> None:
        """Give up the cells with these positions."""
        kept = []
        for cell in self._cells[seq_id]:
            if start <= cell.position < end:
                self._give_up(cell)
            else:
                kept.append(cell)
        self._cells[seq_id] = kept

    def fork(self, source: int, target: int, end: int) -> None:
        """Hold the cells below position ``end`` of another sequence, too."""
        shared = [cell for cell in self._cells[source] if cell.position < end]
        for cell in shared:
            cell.holders += 1
        self._cells[target] = shared

    def count_shared(self, seq_id: int) -> int:
        """Cells that other sequences hold, too."""
        return sum(cell.holders > 1 for cell in self._cells[seq_id])

    def unshare(self, seq_id: int) -> None:
        """Replace shared cells by copies."""
        own = []
        for cell in self._cells[seq_id]:
            if cell.holders > 1:
                self._give_up(cell)
                cell = Cell(cell.token, cell.position)
                self.free -= 1
            own.append(cell)
        self._cells[seq_id] = own

    def move(self, seq_id: int, start: int, end: int, change: Callable[[int], int], *, allow_equal: bool) -> None:
        """Change positions from ``start`` to ``end - 1``.

        Raises:
            ValueError: a cell is shared, or the positions would be negative or out of order, or, unless
                ``allow_equal``, equal. Nothing was changed.
        """
        moved = [cell for cell in self._cells[seq_id] if start <= cell.position < end]
        if any(cell.holders > 1 for cell in moved):
            raise ValueError(f"sequence {seq_id} shares positions of {start} to {end - 1}")
        targets = {id(cell): change(cell.position) for cell in moved}
        places = [(id(cell) in targets, targets.get(id(cell), cell.position)) for cell in self._cells[seq_id]]
        for (was_moved, earlier), (is_moved, later) in itertools.pairwise(places):
            # Positions that move together keep their order, and may have been equal before.
            if was_moved is not is_moved and later - earlier < (0 if allow_equal else 1):
                raise ValueError(f"positions of sequence {seq_id} would be out of order")
        if any(target < 0 for target in targets.values()):
            raise ValueError(f"positions of sequence {seq_id} would be negative")
        for cell in moved:
            cell.position = targets[id(cell)]

    def _give_up(self, cell: Cell) -> None:
        cell.holders -= 1
        if not cell.holders:
            self.free += 1
