"""The cell count equals a set of positions that is kept the slow way."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from service.llama.cells import Cells

N_CELLS, N_SEQ = 100, 3
POSITIONS = st.integers(0, 40)
SEQ_IDS = st.integers(0, N_SEQ - 1)


class CellsMachine(RuleBasedStateMachine):
    """Any order of operations."""

    @initialize()
    def start(self) -> None:
        self.cells = Cells(N_CELLS, N_SEQ)
        self.positions: list[set[int]] = [set() for _ in range(N_SEQ)]

    @rule(seq_id=SEQ_IDS, n_tokens=st.integers(1, 12))
    def append(self, seq_id: int, n_tokens: int) -> None:
        start = max(self.positions[seq_id], default=-1) + 1
        self.cells.append(seq_id, n_tokens)
        self.positions[seq_id] |= set(range(start, start + n_tokens))

    @rule(seq_id=SEQ_IDS, start=POSITIONS, end=POSITIONS)
    def remove(self, seq_id: int, start: int, end: int) -> None:
        self.cells.remove(seq_id, start, end)
        self.positions[seq_id] -= set(range(start, end))

    @rule(seq_id=SEQ_IDS, start=POSITIONS, end=POSITIONS, delta=st.integers(-20, 20))
    def shift(self, seq_id: int, start: int, end: int, delta: int) -> None:
        inside = {position for position in self.positions[seq_id] if start <= position < end}
        outside = self.positions[seq_id] - inside
        moved = {position + delta for position in inside}
        if moved & outside or min(moved, default=0) < 0:
            with pytest.raises(ValueError):
                self.cells.shift(seq_id, start, end, delta)
        else:
            self.cells.shift(seq_id, start, end, delta)
            self.positions[seq_id] = outside | moved

    @invariant()
    def counts_agree(self) -> None:
        assert self.cells.free == N_CELLS - sum(map(len, self.positions))
        for seq_id, positions in enumerate(self.positions):
            assert self.cells.end(seq_id) == max(positions, default=-1) + 1


TestCells = CellsMachine.TestCase
