"""How many cells idle slots may keep beside running requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.engine.cache.ledger import SlotLedger
    from service.engine.cache.slots import Slot

#: A step walks over cells in blocks of so many.
CELLS_PER_BLOCK = 256


class IdleCells:
    """Counts the cells of idle slots, which steps of running requests walk over, too.

    Args:
        slots: all slots in which requests run.
        n_allowed: cells that idle ones may keep; None for as many as leave the number of blocks as it is.
    """

    def __init__(self, slots: Sequence[Slot], n_allowed: int | None) -> None:
        self._slots = slots
        self._n_allowed = n_allowed

    def are_too_many(self, ledger: SlotLedger) -> bool:
        """Whether idle slots hold more cells for themselves than they may; never while nothing runs."""
        n_idle = n_running = n_shared = n_coming = 0
        for slot in self._slots:
            if slot.is_idle:
                n_idle += len(slot.items)
            else:
                n_running += len(slot.items) - slot.n_shared
                n_shared = max(n_shared, slot.n_shared)
                n_coming += slot.prompt_remaining
        n_others = n_running + n_shared + n_coming
        if n_idle == 0 or all(slot.is_idle for slot in self._slots) or not self._is_too_much(n_idle, n_others):
            return False
        # Idle slots may share what they hold, also with running ones.
        n_idle = min(n_idle, ledger.cells_used - n_running - n_shared)
        return self._is_too_much(n_idle, n_others)

    def _is_too_much(self, n_idle: int, n_others: int) -> bool:
        if self._n_allowed is not None:
            return n_idle > self._n_allowed
        return _blocks(n_others + n_idle) > _blocks(n_others)


def _blocks(n_cells: int) -> int:
    """Blocks that so many cells take."""
    return -(-n_cells // CELLS_PER_BLOCK)
