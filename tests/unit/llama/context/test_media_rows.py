"""A batch of rows holds what the segments say, whatever it held before; and refusals tell why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.language_model import DecodeFailed, MediaSegment
from service.engine.request.media import MediaChunk
from service.llama.context.cells import Cells
from service.llama.context.media_rows import MediaBatch, RowLimits, check_chunk, check_place
from service.llama.host.library import load_library

CAPACITY = 32
WIDTH = 3
PLAIN = RowLimits(WIDTH, has_grid=False, n_whole=8)
#: Of another kind than chunks have.
DOUBLES: Any = np.zeros((2, WIDTH))
WITH_GRID = RowLimits(WIDTH, has_grid=True, n_whole=8)


def chunk_of(n_rows: int, *, is_causal: bool = True, side: int = 0) -> MediaChunk:
    """A chunk of rows that differ; those of one with a side go through lines of so many."""
    rows = np.arange(n_rows * WIDTH, dtype=np.float32).reshape(n_rows, WIDTH)
    if not side:
        return MediaChunk(b"", rows, None, n_rows, is_causal)
    grid = np.array([(0, number // side, number % side) for number in range(n_rows)], np.int32)
    return MediaChunk(b"", rows, grid, int(grid.max()) + 1, is_causal)


@st.composite
def segments(draw: st.DrawFn, *, has_grid: bool) -> MediaSegment:
    """A part of a chunk."""
    n_rows = draw(st.integers(1, 8))
    side = draw(st.integers(0, 4)) if has_grid else 0
    start = draw(st.integers(0, n_rows - 1))
    return MediaSegment(
        seq_id=draw(st.integers(0, 255)),
        position=draw(st.integers(0, 2**31 - CAPACITY - 1)),
        chunk=chunk_of(n_rows, side=side),
        start=start,
        n_rows=draw(st.integers(1, n_rows - start)),
        wants_logits=draw(st.booleans()),
    )


Entry = tuple[list[float], list[int], int, int, bool]


def content(batch: MediaBatch, n_sections: int) -> list[Entry]:
    """Row, parts of the position, number of sequences, sequence and output of each entry, through the C structure."""
    struct = batch.struct
    n_rows = struct.n_tokens
    assert not struct.token
    return [
        (
            [struct.embd[WIDTH * i + column] for column in range(WIDTH)],
            [struct.pos[section * n_rows + i] for section in range(n_sections)],
            struct.n_seq_id[i],
            struct.seq_id[i][0],
            bool(struct.logits[i]),
        )
        for i in range(n_rows)
    ]


def expected(segments: list[MediaSegment], n_sections: int, *, every_output: bool) -> list[Entry]:
    """The same, from the segments."""
    entries = []
    for segment in segments:
        for number in range(segment.start, segment.start + segment.n_rows):
            place = segment.position + number
            position = [place, place, place, 0]
            if segment.chunk.grid is not None:
                position = [*(segment.position + segment.chunk.grid[number]).tolist(), 0]
            is_last = number == segment.start + segment.n_rows - 1
            output = every_output or (is_last and segment.wants_logits)
            entries.append((segment.chunk.rows[number].tolist(), position[:n_sections], 1, segment.seq_id, output))
    return entries


@given(data=st.data(), has_grid=st.booleans())
def test_it_holds_the_last_segments(data: st.DataObject, has_grid: bool) -> None:
    batch = MediaBatch(load_library(), CAPACITY, WITH_GRID if has_grid else PLAIN)
    for _ in range(2):
        chosen = data.draw(st.lists(segments(has_grid=has_grid), min_size=1, max_size=4))
        every_output = data.draw(st.booleans())
        batch.fill(chosen, every_output=every_output)
        n_sections = 4 if has_grid else 1
        assert content(batch, n_sections) == expected(chosen, n_sections, every_output=every_output)
    batch.clear()
    assert batch.struct.n_tokens == 0
    assert not batch.struct.embd


def test_rows_of_one_chunk_are_not_copied() -> None:
    chunk = chunk_of(8)
    batch = MediaBatch(load_library(), CAPACITY, PLAIN)
    batch.fill([MediaSegment(0, 0, chunk, 2, 6)])
    chunk.rows[2, 0] = 77.0
    assert batch.struct.embd[0] == 77.0


@pytest.mark.parametrize(
    ("chunk", "limits", "reason"),
    [
        (
            MediaChunk(b"", np.zeros((2, WIDTH + 1), np.float32), None, 2, True),
            PLAIN,
            r"rows of media are float32 of shape \(2, 4\); this model takes contiguous float32 of shape \(n_rows, 3\)",
        ),
        (MediaChunk(b"", DOUBLES, None, 2, True), PLAIN, "float64 of shape"),
        (MediaChunk(b"", np.zeros((WIDTH, 2), np.float32).T, None, 2, True), PLAIN, "takes contiguous float32"),
        (chunk_of(9, is_causal=False), PLAIN, "9 rows that are not causal in one call; allowed: up to 8"),
        (chunk_of(4, side=2), PLAIN, "have a grid, but positions of this model have no parts"),
        (
            MediaChunk(b"", np.zeros((2, WIDTH), np.float32), None, 3, True),
            PLAIN,
            "2 rows without a grid take 3 positions, not one each",
        ),
        (
            MediaChunk(b"", np.zeros((2, WIDTH), np.float32), np.zeros((2, 2), np.int32), 2, True),
            WITH_GRID,
            r"the grid of 2 rows is int32 of shape \(2, 2\), not int32 of 3 each",
        ),
        (
            MediaChunk(b"", np.zeros((2, WIDTH), np.float32), np.array([(0, 0, 0), (0, 2, 0)], np.int32), 2, True),
            WITH_GRID,
            r"a grid reaches from \[0 0 0\] to \[0 2 0\] in time, y and x; allowed are time 0, and 0 to 1 in space",
        ),
    ],
)
def test_a_chunk_of_another_model_is_refused(chunk: MediaChunk, limits: RowLimits, reason: str) -> None:
    with pytest.raises(DecodeFailed, match=reason):
        check_chunk(chunk, limits)


def test_rows_that_do_not_go_on_are_refused() -> None:
    cells = Cells(20, 1)
    cells.append(0, 2)
    check_place(MediaSegment(0, 2, chunk_of(4), 0, 2), cells, is_alone=False)
    with pytest.raises(DecodeFailed, match="sequence 0 goes on at position 2, not 4"):
        check_place(MediaSegment(0, 2, chunk_of(4), 2, 2), cells, is_alone=False)
    with pytest.raises(DecodeFailed, match="rows 2 to 5 of a chunk of 4 for sequence 0"):
        check_place(MediaSegment(0, 2, chunk_of(4), 2, 4), cells, is_alone=False)
    whole = MediaSegment(0, 2, chunk_of(4, is_causal=False), 0, 4)
    check_place(whole, cells, is_alone=True)
    with pytest.raises(DecodeFailed, match="are not causal: they need all of their chunk alone in one call"):
        check_place(whole, cells, is_alone=False)
    with pytest.raises(DecodeFailed, match="cannot have a chunk of 4 positions at 2147483646"):
        check_place(MediaSegment(0, 2**31 - 2, chunk_of(4), 0, 4), cells, is_alone=False)


def test_parts_of_a_grid_go_on_behind_the_parts_before_them() -> None:
    cells = Cells(20, 1)
    cells.append(0, 2)
    second = MediaSegment(0, 2, chunk_of(4, side=2), 2, 2)
    with pytest.raises(DecodeFailed, match="ends at position 1; row 2 of a grid at 2 needs the 2 rows before it there"):
        check_place(second, cells, is_alone=False)
    cells.append_grid(0, 2, 2, goes_on=False)
    check_place(second, cells, is_alone=False)
    cells.append_grid(0, 2, 2, goes_on=True)
    with pytest.raises(DecodeFailed, match="needs the 2 rows before it there"):
        check_place(second, cells, is_alone=False)
    check_place(MediaSegment(0, 4, chunk_of(4, side=2), 0, 2), cells, is_alone=False)
