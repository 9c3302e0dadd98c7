"""Which cells and positions each sequence has in the KV cache, and so how many cells are left.

The library rounds a context up to a multiple of 256 cells, and does not say how many of them are free or which are
shared. So cells are counted here, and no more are used than were asked for. The numbers of cells are not the library's.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable

_Ids = npt.NDArray[np.int32]
#: The highest that the library counts to.
MAX_POSITION = 2**31 - 1


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where the items of a sequence are.

    Attributes:
        positions: of each item.
        spans: by how much positions go on behind those that the rows of a grid share.
    """

    positions: array[int]
    spans: dict[int, int]


class Cells:
    """Cells and positions of each sequence, in the order of its items; positions never decrease.

    Items are tokens and rows of media. Ranges of positions may reach beyond those that a sequence has. Appending a
    token takes constant time; everything else takes microseconds for some thousand items.

    Args:
        n_cells: cells of all sequences.
        n_seq_max: number of sequences.
    """

    def __init__(self, n_cells: int, n_seq_max: int) -> None:
        self._free = array("i", range(n_cells))
        self._holders = np.zeros(n_cells, np.int32)
        self._positions = [array("i") for _ in range(n_seq_max)]
        self._cells = [array("i") for _ in range(n_seq_max)]
        # Only positions of grids are here, so that text pays nothing for them.
        self._spans: list[dict[int, int]] = [{} for _ in range(n_seq_max)]

    @property
    def free(self) -> int:
        """Cells that no sequence holds."""
        return len(self._free)

    def start(self, seq_id: int) -> int:
        """The first position, 0 if the sequence is empty."""
        positions = self._positions[seq_id]
        return positions[0] if positions else 0

    def end(self, seq_id: int) -> int:
        """The position of what comes next, 0 if the sequence is empty."""
        positions, spans = self._positions[seq_id], self._spans[seq_id]
        if not positions:
            return 0
        return positions[-1] + (spans.get(positions[-1], 1) if spans else 1)

    def highest(self, seq_id: int) -> int:
        """The last position, -1 if the sequence is empty."""
        positions = self._positions[seq_id]
        return positions[-1] if positions else -1

    def count(self, seq_id: int, start: int, end: int) -> int:
        """Items at the positions ``start`` to ``end - 1``."""
        first, last = self._indices(seq_id, start, end)
        return last - first

    def count_shared(self, seq_id: int) -> int:
        """Cells of a sequence that others hold, too."""
        return int(np.count_nonzero(self._is_shared(self._cells[seq_id])))

    def shared_ranges(self, seq_id: int, step: int) -> list[tuple[int, int]]:
        """Ranges of positions, ascending and apart, that contain all shared cells of a sequence.

        No range reaches across a multiple of ``step``. A cell that is not shared is in a range only if it has the
        position of a shared one.
        """
        shared = np.flatnonzero(self._is_shared(self._cells[seq_id]))
        if not shared.size:
            return []
        positions = np.array(self._positions[seq_id], np.int32)[shared]
        is_apart = (np.diff(shared) > 1) & (np.diff(positions) > 0)
        firsts = np.append(0, np.flatnonzero(is_apart | (np.diff(positions // step) > 0)) + 1)
        lasts = np.append(firsts[1:], positions.size) - 1
        return [(int(positions[i]), int(positions[j]) + 1) for i, j in zip(firsts, lasts, strict=True)]

    def append(self, seq_id: int, n_tokens: int) -> None:
        """Add positions from ``end`` on, in free cells; there must be enough."""
        positions, free, spans = self._positions[seq_id], self._free, self._spans[seq_id]
        end = positions[-1] + 1 if positions else 0
        if spans:
            end = self.end(seq_id)
        if n_tokens == 1:
            cell = free.pop()
            self._holders[cell] = 1
            positions.append(end)
            self._cells[seq_id].append(cell)
        else:
            self._cells[seq_id].extend(self._take(n_tokens))
            positions.extend(range(end, end + n_tokens))

    def append_grid(self, seq_id: int, n_rows: int, span: int, *, goes_on: bool) -> None:
        """Add rows of a grid, all of them at one position, in free cells; there must be enough.

        Args:
            seq_id: the sequence.
            n_rows: how many.
            span: by how much positions go on behind the grid.
            goes_on: whether the last items of the sequence are the first rows of the same grid.
        """
        position = self.highest(seq_id) if goes_on else self.end(seq_id)
        self._cells[seq_id].extend(self._take(n_rows))
        self._positions[seq_id].extend([position] * n_rows)
        self._spans[seq_id][position] = span

    def places(self, seq_id: int) -> Places:
        """Where the items of a sequence are, a copy."""
        return Places(self._positions[seq_id][:], self._spans[seq_id].copy())

    def restore(self, seq_id: int, places: Places) -> None:
        """Give an empty sequence items at these places, in free cells; there must be enough."""
        self._cells[seq_id] = self._take(len(places.positions))
        self._positions[seq_id] = places.positions[:]
        self._spans[seq_id] = places.spans.copy()

    def remove(self, seq_id: int, start: int, end: int) -> None:
        """Forget the positions ``start`` to ``end - 1``; cells are free once nobody holds them."""
        first, last = self._indices(seq_id, start, end)
        self._give_up(self._cells[seq_id][first:last])
        del self._positions[seq_id][first:last], self._cells[seq_id][first:last]
        if spans := self._spans[seq_id]:
            self._spans[seq_id] = {at: span for at, span in spans.items() if not start <= at < end}

    def fork(self, source: int, target: int, end: int) -> None:
        """Let a sequence hold the cells of another one below position ``end``, where it holds none."""
        _, last = self._indices(source, 0, end)
        cells = self._cells[source][:last]
        self._holders[_ids(cells)] += 1
        self._cells[target] = cells + self._cells[target]
        self._positions[target] = self._positions[source][:last] + self._positions[target]
        if spans := self._spans[source]:
            self._spans[target] |= {at: span for at, span in spans.items() if at < end}

    def own(self, seq_id: int, start: int, end: int) -> None:
        """Replace the cells of positions ``start`` to ``end - 1`` by free ones; there must be enough."""
        first, last = self._indices(seq_id, start, end)
        replaced = self._cells[seq_id][first:last]
        self._cells[seq_id][first:last] = self._take(last - first)
        self._give_up(replaced)

    def shift(self, seq_id: int, start: int, end: int, delta: int) -> None:
        """Add ``delta`` to the positions ``start`` to ``end - 1``.

        Raises:
            ValueError: a cell is shared, or a position would become negative, reach that of another item, or pass it;
                or the sequence has a grid. Nothing was changed.
        """
        self._move(seq_id, start, end, lambda position: position + delta, min_distance=1)

    def divide(self, seq_id: int, start: int, end: int, divisor: int) -> list[tuple[int, int]]:
        """Divide the positions ``start`` to ``end - 1``, rounding down; several items may get the same position.

        Returns:
            The positions that changed, ascending, with their changes.

        Raises:
            ValueError: the divisor is below 1, a cell is shared, or a position would pass that of another item; or the
                sequence has a grid. Nothing was changed.
        """
        if divisor < 1:
            raise ValueError(f"divisor {divisor} is below 1")
        first, last = self._indices(seq_id, start, end)
        changes = {old: old // divisor - old for old in self._positions[seq_id][first:last]}
        self._move(seq_id, start, end, lambda position: position // divisor, min_distance=0)
        return [(old, change) for old, change in changes.items() if change]

    def _move(self, seq_id: int, start: int, end: int, change: Callable[[int], int], *, min_distance: int) -> None:
        """Change positions, if they stay ``min_distance`` away from those on both sides."""
        positions = self._positions[seq_id]
        first, last = self._indices(seq_id, start, end)
        if first == last:
            return
        if self._spans[seq_id]:
            raise ValueError(f"sequence {seq_id} has rows of a grid, whose positions cannot change")
        if self._is_shared(self._cells[seq_id][first:last]).any():
            raise ValueError(f"sequence {seq_id} shares positions of {start} to {end - 1}: unshare it first")
        lowest, highest = change(positions[first]), change(positions[last - 1])
        if lowest < 0 or highest > MAX_POSITION:
            raise ValueError(f"sequence {seq_id} cannot have the positions {lowest} to {highest}")
        if first > 0 and lowest - positions[first - 1] < min_distance:
            raise ValueError(f"position {lowest} would not follow position {positions[first - 1]} of sequence {seq_id}")
        if last < len(positions) and positions[last] - highest < min_distance:
            raise ValueError(f"position {highest} would not precede position {positions[last]} of sequence {seq_id}")
        positions[first:last] = array("i", map(change, positions[first:last]))

    def _indices(self, seq_id: int, start: int, end: int) -> tuple[int, int]:
        """The items at the positions ``start`` to ``end - 1``."""
        positions = self._positions[seq_id]
        first = bisect_left(positions, start)
        return first, max(first, bisect_left(positions, end))

    def _is_shared(self, cells: array[int]) -> npt.NDArray[np.bool_]:
        return self._holders[_ids(cells)] > 1

    def _take(self, n_cells: int) -> array[int]:
        """Cells that were free, for one holder."""
        if n_cells > len(self._free):
            raise IndexError(f"{n_cells} cells are needed, {len(self._free)} are free")
        keep = len(self._free) - n_cells
        taken = self._free[keep:]
        del self._free[keep:]
        self._holders[_ids(taken)] = 1
        return taken

    def _give_up(self, cells: array[int]) -> None:
        """Count one holder less."""
        ids = _ids(cells)
        self._holders[ids] -= 1
        self._free.frombytes(ids[self._holders[ids] == 0].tobytes())


def _ids(cells: array[int]) -> _Ids:
    """Cells as an index, a copy: an array cannot change its length while others look at its memory."""
    return np.array(cells, np.int32)
