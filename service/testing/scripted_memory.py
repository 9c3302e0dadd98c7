"""The scripted model's KV cache: every cell an object, so that sharing shows."""

from __future__ import annotations

import itertools
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

from service.engine.language_model import CacheFull, SavedSequence

#: Bytes of a token in a saved sequence.
SAVED_BYTES = 8
#: A cell in a packed sequence: token, position, step, adapters.
_PACKED_CELL = struct.Struct("<4q")


class Cell:
    """One token, or one row of media, at one position, held by one or several sequences.

    Attributes:
        token: the token's id, or the number that stands for the row.
        position: where it is.
        step: by how much the position of what comes next is above.
        adapters: stands for the scales of LoRA adapters with which it was evaluated.
        holders: how many sequences hold it.
    """

    __slots__ = ("adapters", "holders", "position", "step", "token")

    def __init__(self, token: int, position: int, step: int = 1, adapters: int = 0) -> None:
        self.token = token
        self.position = position
        self.step = step
        self.adapters = adapters
        self.holders = 1

    def copy(self) -> Cell:
        """Another one with the same contents, held by one sequence."""
        return Cell(self.token, self.position, self.step, self.adapters)


class ScriptedMemory:
    """A ``Memory`` of cells in the order of their tokens.

    Args:
        n_cells: cells that may exist at a time.
        n_seq_max: number of sequences.
        saved_bytes: size of a token in a saved sequence.
        can_shift, can_cut, can_fork: abilities that some real models lack.
    """

    def __init__(
        self,
        n_cells: int,
        n_seq_max: int,
        *,
        saved_bytes: int = SAVED_BYTES,
        can_shift: bool = True,
        can_cut: bool = True,
        can_fork: bool = True,
    ) -> None:
        self.cells_free = n_cells
        self._cells: list[list[Cell]] = [[] for _ in range(n_seq_max)]
        self._saved_bytes = saved_bytes
        self._can_shift = can_shift
        self._can_cut = can_cut
        self._can_fork = can_fork

    def cells(self, seq_id: int) -> list[Cell]:
        """The cells of a sequence, in the order of its tokens: the truth about positions and sharing."""
        return self._cells[seq_id].copy()

    def tokens(self, seq_id: int) -> list[int]:
        """The tokens of a sequence, in order."""
        return [cell.token for cell in self._cells[seq_id]]

    def append(self, seq_id: int, position: int, tokens: Sequence[int], adapters: int = 0) -> None:
        """Write tokens to new cells, of which there must be enough; ``Cell`` says what ``adapters`` are."""
        self._cells[seq_id] += [Cell(token, place, 1, adapters) for place, token in enumerate(tokens, position)]
        self.cells_free -= len(tokens)

    def append_media(self, seq_id: int, position: int, rows: Sequence[tuple[int, int]], adapters: int = 0) -> None:
        """Write rows to new cells, of which there must be enough.

        Args:
            seq_id: the sequence.
            position: of the first row.
            rows: of each the number, and by how much the position of what comes next is above its own.
            adapters: as of ``Cell``.
        """
        for number, step in rows:
            self._cells[seq_id].append(Cell(number, position, step, adapters))
            position += step
        self.cells_free -= len(rows)

    def position_max(self, seq_id: int) -> int:
        """Highest position, -1 if empty."""
        cells = self._cells[seq_id]
        return cells[-1].position if cells else -1

    def next_position(self, seq_id: int) -> int:
        """Where the sequence goes on."""
        cells = self._cells[seq_id]
        return cells[-1].position + cells[-1].step if cells else 0

    def remove(self, seq_id: int, start: int, end: int) -> bool:
        """Give up cells by their positions; only those of whole sequences if this model cannot cut."""
        highest = self.position_max(seq_id)
        end = highest + 1 if end < 0 else end
        if not self._can_cut and start < end and (start > 0 or end <= highest):
            return False
        kept = []
        for cell in self._cells[seq_id]:
            if start <= cell.position < end:
                self._give_up(cell)
            else:
                kept.append(cell)
        self._cells[seq_id] = kept
        return True

    def fork(self, source: int, target: int, end: int) -> bool:
        """Hold the cells below position ``end`` of another sequence, too; only if this model can."""
        is_taken = any(cell.position < end for cell in self._cells[target])
        if source == target or is_taken or self.next_position(source) < end:
            raise ValueError(f"sequence {source} cannot be forked to {target} up to {end}")
        if not self._can_fork:
            return False
        shared = [cell for cell in self._cells[source] if cell.position < end]
        for cell in shared:
            cell.holders += 1
        self._cells[target] = shared + self._cells[target]
        return True

    def unshare(self, seq_id: int) -> None:
        """Replace shared cells by copies."""
        if sum(cell.holders > 1 for cell in self._cells[seq_id]) > self.cells_free:
            raise CacheFull
        own = []
        for cell in self._cells[seq_id]:
            if cell.holders > 1:
                self._give_up(cell)
                cell = cell.copy()
                self.cells_free -= 1
            own.append(cell)
        self._cells[seq_id] = own

    def save(self, seq_id: int) -> SavedSequence:
        """Copy the cells."""
        contents = [cell.copy() for cell in self._cells[seq_id]]
        return SavedSequence(len(contents), self._saved_bytes * len(contents), contents)

    def restore(self, seq_id: int, saved: SavedSequence) -> None:
        """Write the same to new cells."""
        if self._cells[seq_id]:
            raise ValueError(f"sequence {seq_id} is not empty")
        if saved.n_cells > self.cells_free:
            raise CacheFull
        assert isinstance(saved.contents, list)
        self._cells[seq_id] = [cell.copy() for cell in saved.contents]
        self.cells_free -= saved.n_cells

    def pack(self, saved: SavedSequence) -> list[memoryview]:
        """Four integers for each cell."""
        assert isinstance(saved.contents, list)
        cells = [(cell.token, cell.position, cell.step, cell.adapters) for cell in saved.contents]
        return [memoryview(b"".join(_PACKED_CELL.pack(*cell) for cell in cells))]

    def unpack(self, packed: memoryview) -> SavedSequence:
        """The cells again."""
        if len(packed) % _PACKED_CELL.size:
            raise ValueError(f"{len(packed)} bytes are no cells of {_PACKED_CELL.size} bytes")
        contents = [Cell(*numbers) for numbers in _PACKED_CELL.iter_unpack(packed)]
        return SavedSequence(len(contents), self._saved_bytes * len(contents), contents)

    def shift(self, seq_id: int, start: int, end: int, delta: int) -> None:
        """Move positions."""
        self._move(seq_id, start, end, lambda position: position + delta, allow_equal=False)

    def divide(self, seq_id: int, start: int, end: int, divisor: int) -> None:
        """Divide positions."""
        if divisor < 1:
            raise ValueError(f"divisor {divisor} is below 1")
        self._move(seq_id, start, end, lambda position: position // divisor, allow_equal=True)

    def _move(self, seq_id: int, start: int, end: int, change: Callable[[int], int], *, allow_equal: bool) -> None:
        """Change positions from ``start`` to ``end - 1``.

        Raises:
            ValueError: this model cannot shift, a cell is shared, or the positions would be negative or out of order,
                or, unless ``allow_equal``, equal. Nothing was changed.
        """
        if not self._can_shift:
            raise ValueError("this model cannot move positions")
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
            self.cells_free += 1
