"""Which positions each sequence holds in the KV cache, and so how many cells are left.

The library rounds a context up to a multiple of 256 cells and does not tell how many are free; what was asked for is
enforced here. No cell belongs to two sequences.
"""

from __future__ import annotations


class Cells:
    """Positions by sequence, as spans: almost always one, two between the removal and the shift of a full context.

    Args:
        n_cells: cells of all sequences.
        n_seq_max: number of sequences.
    """

    def __init__(self, n_cells: int, n_seq_max: int) -> None:
        self._n_cells = n_cells
        self._used = 0
        self._spans: list[list[tuple[int, int]]] = [[] for _ in range(n_seq_max)]

    @property
    def free(self) -> int:
        """Cells without a token."""
        return self._n_cells - self._used

    def end(self, seq_id: int) -> int:
        """The position behind the last one, 0 if the sequence is empty."""
        spans = self._spans[seq_id]
        return spans[-1][1] if spans else 0

    def append(self, seq_id: int, n_tokens: int) -> None:
        """Add positions from ``end`` on."""
        spans = self._spans[seq_id]
        if spans:
            start, end = spans[-1]
            spans[-1] = (start, end + n_tokens)
        else:
            spans.append((0, n_tokens))
        self._used += n_tokens

    def remove(self, seq_id: int, start: int, end: int) -> None:
        """Forget the positions ``start`` to ``end - 1``."""
        kept = _outside(self._spans[seq_id], start, end)
        self._used += _count(kept) - _count(self._spans[seq_id])
        self._spans[seq_id] = kept

    def shift(self, seq_id: int, start: int, end: int, delta: int) -> None:
        """Move the positions ``start`` to ``end - 1`` by ``delta``.

        Raises:
            ValueError: a position would become negative, or belong to two tokens. Nothing was changed.
        """
        spans = self._spans[seq_id]
        moved = [(first + delta, last + delta) for first, last in _inside(spans, start, end)]
        if not moved:
            return
        if moved[0][0] < 0:
            raise ValueError(f"a shift by {delta} would move sequence {seq_id} to position {moved[0][0]}")
        merged: list[tuple[int, int]] = []
        for first, last in sorted(_outside(spans, start, end) + moved):
            if merged and first < merged[-1][1]:
                raise ValueError(f"a shift by {delta} would put two tokens of sequence {seq_id} at position {first}")
            if merged and first == merged[-1][1]:
                merged[-1] = (merged[-1][0], last)
            else:
                merged.append((first, last))
        self._spans[seq_id] = merged


def _inside(spans: list[tuple[int, int]], start: int, end: int) -> list[tuple[int, int]]:
    cut = [(max(first, start), min(last, end)) for first, last in spans]
    return [(first, last) for first, last in cut if first < last]


def _outside(spans: list[tuple[int, int]], start: int, end: int) -> list[tuple[int, int]]:
    if start >= end:
        return list(spans)
    parts = [part for first, last in spans for part in ((first, min(last, start)), (max(first, end), last))]
    return [(first, last) for first, last in parts if first < last]


def _count(spans: list[tuple[int, int]]) -> int:
    return sum(last - first for first, last in spans)
