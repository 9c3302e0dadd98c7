"""A context's KV cache: what can be done to sequences without evaluating anything."""

from __future__ import annotations

import ctypes
from array import array
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from service.engine.language_model import CacheFull, DecodeFailed, SavedSequence
from service.llama.context.cells import Cells, Places

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.llama.host.library import Library, Pointer

#: Positions that are copied at once, to bound the memory that a copy takes.
_COPY_STEP = 512

_State = npt.NDArray[np.uint8]
#: Integers in packed sequences.
_INT = np.dtype("<i4")


class KvCache:
    """A ``Memory``. Refuses in Python what would abort the process in C.

    Args:
        library: the library.
        context: the context.
        memory: its memory.
        n_cells: cells that may be used.
        n_seq_max: number of sequences; the library has one more, for copies.
        n_swa: tokens of the model's sliding windows, 0 if it has none.
        can_shift: whether positions can be changed.
        apply_moves: lets the library rotate the keys of tokens whose positions have changed.

    Attributes:
        cells: which cells and positions the sequences have.
        can_cut: whether a part of a sequence can be removed or shared; found out by ``probe``.
        has_pending_moves: whether positions have changed since the library last computed anything.
    """

    def __init__(
        self,
        library: Library,
        context: Pointer,
        memory: Pointer,
        *,
        n_cells: int,
        n_seq_max: int,
        n_swa: int,
        can_shift: bool,
        apply_moves: Callable[[], None],
    ) -> None:
        self._short = library.short
        self._api = library.api
        self._context = context
        self._memory = memory
        self._n_seq_max = n_seq_max
        self._n_swa = n_swa
        self._can_shift = can_shift
        self._apply_moves = apply_moves
        # A copy leaves out what the last token of its range does not see.
        self._copy_step = n_swa if n_swa % _COPY_STEP else _COPY_STEP
        self.cells = Cells(n_cells, n_seq_max)
        self.can_cut = False
        self.has_pending_moves = False
        self._is_closed = False

    def close(self) -> None:
        """Refuse everything from now on; the context frees the memory."""
        self._is_closed = True

    @property
    def cells_free(self) -> int:
        """Cells that no sequence holds."""
        return self.cells.free

    @property
    def spare(self) -> int:
        """The sequence for copies; empty but for moments."""
        return self._n_seq_max

    def probe(self, seq_id: int) -> None:
        """Find out what the memory can do, with a sequence of two tokens, the only one; empties everything."""
        # Recurrent models keep one state of all tokens, from which none can be removed.
        self.can_cut = self._short.memory_seq_rm(self._memory, seq_id, 1, -1)
        self._short.memory_clear(self._memory, True)
        self.cells.remove(seq_id, 0, 2)

    def empty_spare(self) -> None:
        """Empty the sequence for copies."""
        self._short.memory_seq_rm(self._memory, self.spare, -1, -1)

    def position_max(self, seq_id: int) -> int:
        """Highest position in the library's memory, or -1."""
        self._check_sequence(seq_id)
        return self._short.memory_seq_pos_max(self._memory, seq_id)

    def remove(self, seq_id: int, start: int, end: int) -> bool:
        """Remove positions; the contract is ``Memory.remove``."""
        start, end = self._range(seq_id, start, end)
        if start >= end:
            return True
        # The last range must reach to infinity: some models refuse others.
        is_tail = end == self.cells.end(seq_id)
        is_whole = is_tail and start == 0
        if not is_whole and not (self.can_cut and self._sees_enough(seq_id, start, end)):
            return False
        if not self._short.memory_seq_rm(self._memory, seq_id, start, -1 if is_tail else end):
            return False
        self.cells.remove(seq_id, start, end)
        return True

    def fork(self, source: int, target: int, end: int) -> bool:
        """Share positions; the contract is ``Memory.fork``."""
        for seq_id in (source, target):
            self._check_sequence(seq_id)
        if source == target or self.cells.count(target, 0, end):
            raise ValueError(f"sequence {target} must hold none of the positions of {source} that it is to share")
        if not 0 <= end <= self.cells.end(source):
            raise ValueError(f"sequence {source} has {self.cells.end(source)} positions; {end} cannot be shared")
        if not self.can_cut or not self._sees_enough(source, end, self.cells.end(source)):
            return False
        if end:
            self._short.memory_seq_cp(self._memory, source, target, 0, end)
            self.cells.fork(source, target, end)
        return True

    def unshare(self, seq_id: int) -> None:
        """Copy shared cells; the contract is ``Memory.unshare``."""
        self._check_sequence(seq_id)
        ranges = self.cells.shared_ranges(seq_id, self._copy_step)
        n_cells = sum(self.cells.count(seq_id, start, end) for start, end in ranges)
        if n_cells > self.cells.free:
            raise CacheFull(f"sequence {seq_id} needs {n_cells} cells of its own, {self.cells.free} are free")
        try:
            if ranges and self.has_pending_moves:
                # A copy takes the keys as they are.
                self._apply_moves()
            for start, end in ranges:
                self._copy(seq_id, start, end)
                self.cells.own(seq_id, start, end)
        except DecodeFailed:
            self.remove(seq_id, 0, -1)
            raise

    def save(self, seq_id: int) -> SavedSequence:
        """Copy a sequence out of the cache; the contract is ``Memory.save``."""
        self._check_sequence(seq_id)
        if self.has_pending_moves:
            self._apply_moves()
        places = self.cells.places(seq_id)
        state = self._read_state(seq_id)
        if state is None:
            raise DecodeFailed(f"llama.cpp could not copy sequence {seq_id}")
        return SavedSequence(len(places.positions), state.nbytes, (places, state))

    def restore(self, seq_id: int, saved: SavedSequence) -> None:
        """Copy a sequence back; the contract is ``Memory.restore``."""
        self._check_sequence(seq_id)
        if self.cells.end(seq_id):
            raise ValueError(f"sequence {seq_id} is not empty")
        if not saved.n_cells:
            return
        if saved.n_cells > self.cells.free:
            raise CacheFull(f"{saved.n_cells} cells are needed, {self.cells.free} are free")
        assert isinstance(saved.contents, tuple)
        places, state = saved.contents
        if not self._write_state(seq_id, state):
            self._short.memory_seq_rm(self._memory, seq_id, -1, -1)
            raise DecodeFailed(f"llama.cpp could not restore {saved.n_cells} cells to sequence {seq_id}")
        self.cells.restore(seq_id, places)

    def pack(self, saved: SavedSequence) -> list[memoryview]:
        """What was saved as bytes; the contract is ``Memory.pack``.

        Numbers of positions and of spans; the positions; places and lengths of spans; the library's state.
        """
        assert isinstance(saved.contents, tuple)
        places, state = saved.contents
        spans = np.array(list(places.spans.items()), _INT).reshape(-1)
        counts = np.array([len(places.positions), len(places.spans)], _INT)
        return [_raw(counts), _raw(np.array(places.positions, _INT)), _raw(spans), _raw(state)]

    def unpack(self, packed: memoryview) -> SavedSequence:
        """The same backwards; the contract is ``Memory.unpack``."""
        numbers = np.frombuffer(packed[: len(packed) - len(packed) % _INT.itemsize], _INT)
        n_positions, n_spans = numbers[:2].tolist() if len(numbers) >= 2 else (-1, -1)
        end = 2 + n_positions + 2 * n_spans
        if n_positions < 0 or n_spans < 0 or end > len(numbers):
            raise ValueError("the bytes do not begin with positions")
        positions, spans = numbers[2 : 2 + n_positions], numbers[2 + n_positions : end].reshape(-1, 2)
        if (positions < 0).any() or (np.diff(positions) < 0).any():
            raise ValueError("the positions are not in order")
        places = Places(array("i", positions.tolist()), dict(zip(*spans.T.tolist(), strict=True)))
        state = np.frombuffer(packed, np.uint8)[end * _INT.itemsize :]
        return SavedSequence(n_positions, state.nbytes, (places, state))

    def shift(self, seq_id: int, start: int, end: int, delta: int) -> None:
        """Move positions; the contract is ``Memory.shift``."""
        start, end = self._movable_range(seq_id, start, end)
        self.cells.shift(seq_id, start, end, delta)
        if start < end:
            self._move(seq_id, start, end, delta)

    def divide(self, seq_id: int, start: int, end: int, divisor: int) -> None:
        """Divide positions; the contract is ``Memory.divide``.

        Position by position: ``llama_memory_seq_div`` sets the positions, but turns the keys the wrong way (its
        ``pos_div`` adds the old position minus the new one to the shift, where ``pos_add`` adds the new one minus the
        old one). From the lowest on, as none moves up, no position meets one that has yet to move.
        """
        start, end = self._movable_range(seq_id, start, end)
        for position, delta in self.cells.divide(seq_id, start, end, divisor):
            self._move(seq_id, position, position + 1, delta)

    def recount(self, seq_id: int) -> None:
        """Learn what a failed decode has left of a sequence: the ubatches that were finished stay."""
        actual = self.position_max(seq_id)
        if actual > self.cells.highest(seq_id):
            self.cells.append(seq_id, actual + 1 - self.cells.end(seq_id))
        else:
            self.cells.remove(seq_id, actual + 1, self.cells.end(seq_id))

    def recount_grid(self, seq_id: int, position: int, n_rows: int, span: int) -> None:
        """Learn what a failed decode of rows of a grid has left of a sequence: all of them, or no row of the grid.

        The library takes back all of a position. Whether it has failed before it took cells cannot be seen if earlier
        calls have left rows there; then too few cells count as free until the sequence is removed.
        """
        if self.position_max(seq_id) < position:
            self.recount(seq_id)
        else:
            self.cells.append_grid(seq_id, n_rows, span, goes_on=self.cells.highest(seq_id) == position)

    def _move(self, seq_id: int, start: int, end: int, delta: int) -> None:
        self._short.memory_seq_add(self._memory, seq_id, start, end, delta)
        self.has_pending_moves = True

    def _copy(self, seq_id: int, start: int, end: int) -> None:
        """Put a copy of positions in place of them. There must be cells; the originals stay until the copy is made."""
        memory, spare = self._memory, self.spare
        self._short.memory_seq_cp(memory, seq_id, spare, start, end)
        try:
            # Restoring empties the sequence and takes new cells.
            state = self._read_state(spare)
            if state is None or not self._write_state(spare, state):
                raise DecodeFailed(f"llama.cpp could not copy the positions {start} to {end - 1} of sequence {seq_id}")
            self._short.memory_seq_rm(memory, seq_id, start, end)
            self._short.memory_seq_cp(memory, spare, seq_id, start, end)
        finally:
            self.empty_spare()

    def _read_state(self, seq_id: int) -> _State | None:
        """What the library knows of a sequence, None if it fails. No positions may wait to be applied to the keys."""
        state = np.empty(self._api.llama_state_seq_get_size(self._context, seq_id), np.uint8)
        n_bytes = self._api.llama_state_seq_get_data(self._context, _bytes_of(state), state.size, seq_id)
        return state if n_bytes else None

    def _write_state(self, seq_id: int, state: _State) -> bool:
        """Replace a sequence by what was read; whether that went well."""
        return bool(self._api.llama_state_seq_set_data(self._context, _bytes_of(state), state.size, seq_id))

    def _sees_enough(self, seq_id: int, start: int, end: int) -> bool:
        """Whether the sliding windows will have all they need once ``start`` to ``end - 1`` is cut out and closed up.

        The library gives cells that slid out of a sequence's window to whoever needs some, even if others are free.
        """
        lowest = self._short.memory_seq_pos_min(self._memory, seq_id)
        if not self._n_swa or lowest <= self.cells.start(seq_id):
            return True
        n_removed = end - start
        if lowest > start:
            lowest = max(start, lowest - n_removed)
        return lowest <= self.cells.end(seq_id) - n_removed - self._n_swa + 1

    def _movable_range(self, seq_id: int, start: int, end: int) -> tuple[int, int]:
        start, end = self._range(seq_id, start, end)
        if not self._can_shift:
            raise ValueError("this model cannot shift positions")
        return start, end

    def _range(self, seq_id: int, start: int, end: int) -> tuple[int, int]:
        """The part of a range in which a sequence has positions."""
        self._check_sequence(seq_id)
        if start < 0 or end < -1:
            raise ValueError(f"positions {start} to {end}: the start must be 0 or more, the end -1 or more")
        highest = self.cells.end(seq_id)
        return start, highest if end == -1 else min(end, highest)

    def _check_sequence(self, seq_id: int) -> None:
        if not 0 <= seq_id < self._n_seq_max:
            raise ValueError(f"sequence {seq_id} is not one of 0 to {self._n_seq_max - 1}")
        if self._is_closed:
            raise ValueError("the model is closed")


def _raw(numbers: npt.NDArray[Any]) -> memoryview:
    """The bytes of an array of one dimension, not a copy."""
    return numbers.view(np.uint8).data


def _bytes_of(state: _State) -> Any:
    """A pointer to the bytes, for the library."""
    return state.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
