"""Who holds how many KV cells. The library cannot be asked, so this is the record that admission relies on."""

from __future__ import annotations


class CellLedger:
    """Counts the KV cells of each sequence. Invariant: a sequence's cells equal its tokens in the model's memory."""

    def __init__(self, n_cells: int, n_sequences: int) -> None:
        self.n_cells = n_cells
        self._held = [0] * n_sequences

    @property
    def used(self) -> int:
        """Cells held by all sequences."""
        return sum(self._held)

    @property
    def free(self) -> int:
        """Cells that nobody holds."""
        return self.n_cells - self.used

    def held(self, seq_id: int) -> int:
        """Cells of one sequence."""
        return self._held[seq_id]

    def claim(self, seq_id: int, n_cells: int) -> None:
        """Record that a sequence got ``n_cells`` more."""
        self._held[seq_id] += n_cells

    def release(self, seq_id: int, n_cells: int) -> None:
        """Record that a sequence gave ``n_cells`` back."""
        if n_cells > self._held[seq_id]:
            raise ValueError(f"sequence {seq_id} holds {self._held[seq_id]} cells, cannot release {n_cells}")
        self._held[seq_id] -= n_cells
