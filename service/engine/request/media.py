"""What a projector made of pictures, as a part of prompts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

#: Rows in place of embeddings.
MediaRows = npt.NDArray[np.float32]
Grid = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class MediaChunk:
    """A unit of media as the projector encoded it: rows that take the place of embeddings of tokens.

    A picture is one chunk, or several with tokens around them.

    Attributes:
        key: digest of all that the rows depend on; chunks of equal keys have equal rows.
        rows: float32, shape (n_rows, ``ModelInfo.n_embd_input``), contiguous, not to be changed.
        grid: where each row is relative to the chunk's first position: int32, shape (n_rows, 3), in time, y and x. None
            for models whose rows take one position each.
        n_positions: by how much positions go on behind the chunk; ``n_rows`` without a grid.
        is_causal: whether a row sees only those before it. Otherwise all of them are evaluated in one call.
        items: one for each row, for prompts.
    """

    key: bytes
    rows: MediaRows
    grid: Grid | None
    n_positions: int
    is_causal: bool
    items: tuple[MediaRow, ...] = field(init=False)

    def __post_init__(self) -> None:
        n_rows = len(self.rows)
        is_divisible = self.is_causal and self.grid is None
        steps = [1] * n_rows if self.grid is None else [0] * (n_rows - 1) + [self.n_positions]
        items = tuple(
            MediaRow(self.key, number, 0 if is_divisible else number, step) for number, step in enumerate(steps)
        )
        object.__setattr__(self, "items", items)


class MediaRow(NamedTuple):
    """The item of a row; a ``MediaItem``. Knows nothing of the row's contents, so that caches may keep it.

    A tuple, which the interpreter itself compares and hashes: prompts are compared item by item, and a picture has
    hundreds of them.

    Attributes:
        key: of the chunk.
        number: of the row in the chunk.
        n_before, n_positions: see ``MediaItem``; equal wherever key and number are.
    """

    key: bytes
    number: int
    n_before: int
    n_positions: int
