"""What goes when the KV cache has no cells left for what runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.errors import CacheExhausted
from slotline.protocol.reasons import KV_CELLS_TOTAL

if TYPE_CHECKING:
    from service.engine.parts import EngineParts


class CellShortage:
    """Frees cells if there are too few, also without the caches of idle slots.

    Args:
        parts: of the engine.
    """

    def __init__(self, parts: EngineParts) -> None:
        self._parts = parts

    def relieve(self) -> None:
        """Let something go: inputs to embed go first, then sequences, one by one; the last one fails."""
        parts = self._parts
        slot = parts.preemption.victim()
        if slot is not None:
            if parts.embedding.restart():
                return
            n_running = sum(not slot.is_idle for slot in parts.slots)
            if n_running > 1 and parts.preemption.preempt(slot):
                return
        n_cells = parts.model.info.n_cells
        error = CacheExhausted(
            f"the KV cache has {n_cells} cells and they are all in use; "
            "send a shorter prompt, or start the server with a larger context",
            metadata={KV_CELLS_TOTAL: str(n_cells)},
            retry_after_s=1.0,
        )
        if slot is None:
            parts.embedding.fail_all(error)
            return
        assert slot.sequence is not None
        parts.endings.fail(slot.sequence.task, error)
        parts.memory.drop(slot)
