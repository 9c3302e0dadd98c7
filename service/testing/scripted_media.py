"""What the scripted model sees in media: each row is a number that follows from its chunk's key and its place there."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, cast

import numpy as np

from service.engine.language_model import DecodeFailed
from service.engine.request.media import MediaChunk, MediaRow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from service.engine.language_model import MediaSegment, ModelInfo
    from service.engine.request.items import PromptItem

#: Numbers of rows begin here, above all tokens.
FIRST_ROW = 1000


def row_number(key: bytes, number: int) -> int:
    """What a script sees of row ``number`` of the chunks of a key."""
    return FIRST_ROW + zlib.crc32(number.to_bytes(4, "little"), zlib.crc32(key)) % 1_000_000


def numbers(items: Iterable[PromptItem]) -> list[int]:
    """What a script sees of items: tokens as they are, and rows of media as their numbers."""
    return [
        item if isinstance(item, int) else row_number(cast("MediaRow", item).key, cast("MediaRow", item).number)
        for item in items
    ]


def media_chunk(
    content: str, n_rows: int, *, width: int, n_positions: int | None = None, is_causal: bool = True
) -> MediaChunk:
    """A chunk for the scripted model.

    Args:
        content: chunks of equal content and numbers of rows are equal.
        n_rows: cells that it takes.
        width: length of a row, ``ModelInfo.n_embd_input`` of the model.
        n_positions: for a model with a grid, the positions that the chunk takes; its rows are in one line then.
        is_causal: whether it can be evaluated in parts.
    """
    grid = None
    if n_positions is not None:
        grid = np.zeros((n_rows, 3), np.int32)
        grid[:, 2] = np.arange(n_rows)
    rows = np.full((n_rows, width), zlib.crc32(content.encode()) % 97, np.float32)
    key = f"{content} {n_rows}".encode()
    return MediaChunk(key, rows, grid, n_rows if n_positions is None else n_positions, is_causal)


def check_segment(info: ModelInfo, part: MediaSegment, *, n_parts: int) -> None:
    """Hold a segment to the contract, as far as its sequence does not matter.

    Args:
        info: facts about the model.
        part: the segment.
        n_parts: segments of the call.

    Raises:
        DecodeFailed: it does not keep to the contract.
    """
    chunk, where = part.chunk, f"sequence {part.seq_id}"
    if not info.n_embd_input:
        raise DecodeFailed("this model takes no media")
    if chunk.rows.shape[1:] != (info.n_embd_input,) or chunk.rows.dtype != np.float32:
        raise DecodeFailed(f"{where} has rows of shape {chunk.rows.shape} and type {chunk.rows.dtype}")
    if chunk.grid is not None and not info.has_grid:
        raise DecodeFailed(f"{where} has a chunk with a grid, which this model does not know")
    if not (0 <= part.start < part.start + part.n_rows <= len(chunk.rows)):
        raise DecodeFailed(f"{where} has no {part.n_rows} rows from {part.start} on")
    if not chunk.is_causal and (n_parts > 1 or part.n_rows < len(chunk.rows)):
        raise DecodeFailed(f"{where} has a chunk that must be evaluated at once, in a call of its own")
    if not chunk.is_causal and part.n_rows > info.n_whole:
        raise DecodeFailed(f"{where} has a chunk of {part.n_rows} rows that must be evaluated at once")
