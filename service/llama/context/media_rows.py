"""Rows of media for the library: what it would abort for or take wrongly is refused here."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from service.engine.language_model import DecodeFailed
from service.llama.context.batch import pointer_to
from service.llama.context.cells import MAX_POSITION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.engine.language_model import MediaSegment, Rows
    from service.engine.request.media import MediaChunk
    from service.llama.context.cells import Cells
    from service.llama.host.library import Library

#: Parts of a position of M-RoPE: time, y, x and one that pictures do not use.
_SECTIONS = 4


@dataclass(frozen=True, slots=True)
class RowLimits:
    """What rows a context takes.

    Attributes:
        n_embd: length of a row.
        has_grid: whether positions have parts, so that chunks may have a grid.
        n_whole: most rows that can be evaluated without causality.
    """

    n_embd: int
    has_grid: bool
    n_whole: int


class MediaBatch:
    """Rows of media for one ``llama_decode`` call, as ``Batch`` has tokens: the library takes one kind in a call.

    Args:
        library: the library.
        capacity: most rows.
        limits: what rows the context takes.
    """

    def __init__(self, library: Library, capacity: int, limits: RowLimits) -> None:
        self._n_sections = _SECTIONS if limits.has_grid else 1
        self._rows: Rows | None = None
        self._positions = np.zeros(self._n_sections * capacity, np.int32)
        self._seq_ids = np.zeros(capacity, np.int32)
        self._outputs = np.zeros(capacity, np.int8)
        self._ramp = np.arange(capacity, dtype=np.int32)
        self._counts = np.ones(capacity, np.int32)
        first, step = self._seq_ids.ctypes.data, self._seq_ids.itemsize
        self._seq_id_pointers = np.arange(first, first + step * capacity, step, dtype=np.uintp)
        self.struct = library.api.llama_batch(
            0,
            None,
            None,
            pointer_to(self._positions, ctypes.c_int32),
            pointer_to(self._counts, ctypes.c_int32),
            pointer_to(self._seq_id_pointers, ctypes.POINTER(ctypes.c_int32)),
            pointer_to(self._outputs, ctypes.c_int8),
        )

    def fill(self, segments: Sequence[MediaSegment], *, every_output: bool = False) -> None:
        """Replace the rows of the batch.

        Args:
            segments: at most ``capacity`` rows in all; checked.
            every_output: every row gives an output, not only those whose logits are wanted.
        """
        n_rows = sum(segment.n_rows for segment in segments)
        # Those of one chunk lie in memory as the library wants them.
        self._rows = segments[0].rows if len(segments) == 1 else np.concatenate([one.rows for one in segments])
        positions = self._positions[: self._n_sections * n_rows].reshape(self._n_sections, n_rows)
        positions[:] = 0
        self._outputs[:n_rows] = every_output
        end = 0
        for segment in segments:
            start, end = end, end + segment.n_rows
            self._seq_ids[start:end] = segment.seq_id
            self._outputs[end - 1] |= segment.wants_logits
            grid = segment.chunk.grid
            if grid is None:
                # As for tokens, all parts of a position but the last one are equal.
                positions[:3, start:end] = self._ramp[: segment.n_rows] + (segment.position + segment.start)
            else:
                part = grid[segment.start : segment.start + segment.n_rows]
                positions[:3, start:end] = part.T + segment.position
        self.struct.n_tokens = n_rows
        self.struct.embd = pointer_to(self._rows, ctypes.c_float)

    def clear(self) -> None:
        """Let go of the rows."""
        self.struct.n_tokens, self.struct.embd, self._rows = 0, None, None


def check_chunk(chunk: MediaChunk, limits: RowLimits) -> None:
    """Refuse a chunk that the context cannot evaluate.

    Raises:
        DecodeFailed: it is another model's, or is not what ``MediaChunk`` says.
    """
    rows, grid = chunk.rows, chunk.grid
    if rows.dtype != np.float32 or rows.ndim != 2 or not rows.flags.c_contiguous or rows.shape[1] != limits.n_embd:
        raise DecodeFailed(
            f"rows of media are {rows.dtype} of shape {rows.shape}; this model takes contiguous float32 of shape "
            f"(n_rows, {limits.n_embd})"
        )
    if not chunk.is_causal and len(rows) > limits.n_whole:
        raise DecodeFailed(f"{len(rows)} rows that are not causal in one call; allowed: up to {limits.n_whole}")
    if grid is None:
        if chunk.n_positions != len(rows):
            raise DecodeFailed(f"{len(rows)} rows without a grid take {chunk.n_positions} positions, not one each")
        return
    if not limits.has_grid:
        raise DecodeFailed("rows of media have a grid, but positions of this model have no parts")
    if grid.dtype != np.int32 or grid.shape != (len(rows), 3):
        raise DecodeFailed(f"the grid of {len(rows)} rows is {grid.dtype} of shape {grid.shape}, not int32 of 3 each")
    if grid[:, 0].any() or grid.min() < 0 or grid.max() >= chunk.n_positions:
        raise DecodeFailed(
            f"a grid reaches from {grid.min(axis=0)} to {grid.max(axis=0)} in time, y and x; allowed are time 0, and "
            f"0 to {chunk.n_positions - 1} in space as it takes {chunk.n_positions} positions"
        )


def check_place(segment: MediaSegment, cells: Cells, *, is_alone: bool) -> None:
    """Refuse rows that do not go on where their sequence ends.

    Raises:
        DecodeFailed: they do not, or they are a part of what cannot be divided.
    """
    seq_id, chunk, start, position = segment.seq_id, segment.chunk, segment.start, segment.position
    end = start + segment.n_rows
    if not 0 <= start < end <= len(chunk.rows):
        raise DecodeFailed(f"rows {start} to {end - 1} of a chunk of {len(chunk.rows)} for sequence {seq_id}")
    if not chunk.is_causal and not (is_alone and segment.n_rows == len(chunk.rows)):
        raise DecodeFailed(f"rows of sequence {seq_id} are not causal: they need all of their chunk alone in one call")
    if position < 0 or position > MAX_POSITION - chunk.n_positions:
        raise DecodeFailed(f"sequence {seq_id} cannot have a chunk of {chunk.n_positions} positions at {position}")
    if start and chunk.grid is not None:
        n_before = cells.count(seq_id, position, position + 1)
        if cells.highest(seq_id) != position or n_before != start:
            raise DecodeFailed(
                f"sequence {seq_id} ends at position {cells.highest(seq_id)}; row {start} of a grid at {position} "
                f"needs the {start} rows before it there"
            )
    elif position + start != cells.end(seq_id):
        raise DecodeFailed(f"sequence {seq_id} goes on at position {cells.end(seq_id)}, not {position + start}")
