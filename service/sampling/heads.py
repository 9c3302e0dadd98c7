"""The best tokens of many rows of logits at once: a numpy call costs microseconds, however few rows it works on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Most tokens of a head.
MAX_HEAD = 256

#: Entries of a column that a row is folded into, at least. With fewer there are more columns to search, with more there
#: is more to look at in each; 8 to 24 are equally fast for 49,152 and for 262,144 tokens.
_MIN_DEPTH = 12
#: Columns are folded again until so many are left for each place of the head, but not below the minimum: few enough to
#: be sorted, and enough for a tight bound.
_FOLDED_PER_PLACE = 4
_MIN_FOLDED = 256
#: If more columns per place than this hold a logit that reaches the bound, many are equal and nothing is gained.
_MOST_COLUMNS_PER_PLACE = 8


class Heads(NamedTuple):
    """The best tokens of some rows.

    Attributes:
        ids: tokens, best first, of equal logits the lower id first; shape (rows, n).
        logits: theirs, float64; shape (rows, n).
        is_usable: for each row whether it holds no NaN and its best logit is finite; other rows have no right head.
    """

    ids: npt.NDArray[np.intp]
    logits: npt.NDArray[np.float64]
    is_usable: list[bool]


def find_heads(matrix: npt.NDArray[np.float32], rows: Sequence[int], n: int) -> Heads | None:
    """The ``n`` best tokens of each row.

    Args:
        matrix: logits, shape (all rows, n_vocab), contiguous.
        rows: numbers of the rows that matter, ascending, at least one.
        n: at most ``MAX_HEAD`` and n_vocab.

    Returns:
        None if so many logits are equal that each row is better sorted by itself.
    """
    n_vocab = matrix.shape[1]
    n_folded = max(_MIN_FOLDED, 1 << (_FOLDED_PER_PLACE * n - 1).bit_length())
    if n_vocab < 2 * n_folded:
        return _sort(matrix[_selection(rows)], n)
    n_columns = max(n_folded, 1 << (n_vocab // _MIN_DEPTH).bit_length() - 1)
    maxima = _fold(matrix, rows, n_columns)
    folded = maxima.reshape(len(rows), -1, n_folded).max(axis=1)
    # A NaN makes the maximum of its column NaN, and is sorted to the end.
    folded.sort(axis=1)
    # Each of the n best folded columns holds a logit that reaches the bound.
    bounds = folded[:, n_folded - n]
    places = (maxima >= bounds[:, None]).ravel().nonzero()[0]
    if len(places) > _MOST_COLUMNS_PER_PLACE * n * len(rows):
        return None
    order, ids, logits = _search(matrix, rows, bounds, places, n_columns)
    firsts = order.searchsorted(np.arange(len(rows)))
    heads = firsts[:, None] + np.arange(n)
    # Only a row with NaN has too few.
    return Heads(
        ids.take(heads, mode="clip"),
        logits.take(heads, mode="clip").astype(np.float64),
        np.isfinite(folded[:, -1]).tolist(),
    )


def _selection(rows: Sequence[int]) -> slice | list[int]:
    """What selects these rows; without a copy if they lie side by side."""
    first, last = rows[0], rows[-1]
    return slice(first, last + 1) if last - first == len(rows) - 1 else list(rows)


def _sort(block: npt.NDArray[np.float32], n: int) -> Heads:
    """The heads of short rows."""
    ids = np.argsort(-block, axis=1, kind="stable")[:, :n]
    logits = np.take_along_axis(block, ids, axis=1).astype(np.float64)
    return Heads(ids, logits, np.isfinite(block.max(axis=1)).tolist())


def _fold(matrix: npt.NDArray[np.float32], rows: Sequence[int], n_columns: int) -> npt.NDArray[np.float32]:
    """The largest logit of each column, shape (rows, columns): entry i of a row is in column i modulo columns.

    This reads the rows once, at the speed of memory.
    """
    selection = _selection(rows)
    depth = matrix.shape[1] // n_columns
    n_whole = depth * n_columns
    maxima = np.empty((len(rows), n_columns), np.float32)
    if isinstance(selection, slice):
        matrix[selection, :n_whole].reshape(len(rows), depth, n_columns).max(axis=1, out=maxima)
    else:
        for row, target in zip(rows, maxima, strict=True):
            matrix[row, :n_whole].reshape(depth, n_columns).max(axis=0, out=target)
    n_left = matrix.shape[1] - n_whole
    if n_left:
        np.maximum(maxima[:, :n_left], matrix[selection, n_whole:], out=maxima[:, :n_left])
    return maxima


def _search(
    matrix: npt.NDArray[np.float32],
    rows: Sequence[int],
    bounds: npt.NDArray[np.float32],
    places: npt.NDArray[np.intp],
    n_columns: int,
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """All logits of some columns that reach the bound of their row, by row, best first, of equal ones the lower id.

    Args:
        matrix: all rows.
        rows: those that matter.
        bounds: shape (rows,).
        places: the columns to look at: index in ``rows`` times ``n_columns``, plus the column.
        n_columns: columns of a row, a power of two.

    Returns:
        For each logit the index in ``rows``, the token, and the logit.
    """
    n_vocab = matrix.shape[1]
    depth = -(-n_vocab // n_columns)
    numbers, columns = places >> n_columns.bit_length() - 1, places & n_columns - 1
    ids = columns + (np.arange(depth) * n_columns)[:, None]
    is_beyond = ids[-1] >= n_vocab if depth * n_columns > n_vocab else None
    if is_beyond is not None:
        # The last columns are shorter by one.
        ids[-1, is_beyond] = 0
    values = matrix.ravel().take(ids + np.multiply(rows, n_vocab)[numbers])
    reaches = values >= bounds[numbers]
    if is_beyond is not None:
        reaches[-1, is_beyond] = False
    found = reaches.ravel().nonzero()[0]
    found_numbers, found_ids, found_values = numbers[found % len(places)], ids.ravel()[found], values.ravel()[found]
    order = np.lexsort((found_ids, -found_values, found_numbers))
    return found_numbers[order], found_ids[order], found_values[order]
