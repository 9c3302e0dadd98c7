"""Preemption: sequences are moved out of their slots in favour of others, and back when there is room."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from service.engine.language_model import CacheFull, DecodeFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.engine.cache.slot_memory import SlotMemory
    from service.engine.cache.slots import Slot
    from service.engine.request.sequence import SequenceLife
    from service.engine.request.waiting import WaitingSequences

logger = logging.getLogger(__name__)


class Preemption:
    """Moves sequences with all that was evaluated for them to memory outside of the cache, and back.

    No token is lost or repeated: a sequence goes on behind its last token, in the same state.

    Args:
        slots: the slots.
        memory: what they hold.
        waiting: the queue, where preempted sequences wait.
        clock: seconds, monotonic.
    """

    def __init__(
        self, slots: Sequence[Slot], memory: SlotMemory, waiting: WaitingSequences, clock: Callable[[], float]
    ) -> None:
        self._slots = slots
        self._memory = memory
        self._waiting = waiting
        self._clock = clock

    def victim(self, below: int | None = None) -> Slot | None:
        """The slot to preempt first: of those with the lowest priority, the one whose sequence started last.

        Args:
            below: only sequences of a priority below this one; None for all.
        """
        running = [
            slot
            for slot in self._slots
            if slot.sequence is not None and (below is None or slot.sequence.request.priority < below)
        ]
        return min(running, key=_precedence, default=None)

    def preempt(self, slot: Slot) -> bool:
        """Move a slot's sequence back to the queue; False, with nothing changed, if it cannot leave or return."""
        sequence = slot.sequence
        assert sequence is not None
        if not self._memory.can_swap(slot):
            return False
        try:
            contents = self._memory.swap_out(slot)
        except (DecodeFailed, MemoryError) as error:
            logger.error("a sequence cannot be preempted", extra={"task_id": sequence.task.id, "error": str(error)})
            return False
        slot.release(self._clock())
        sequence.life.preempt(contents)
        self._waiting.put_back(sequence.life)
        logger.info(
            "preempted", extra={"slot_id": slot.id, "task_id": sequence.task.id, "n_tokens": len(contents.items)}
        )
        return True

    def resume(self, life: SequenceLife, slot: Slot) -> bool:
        """Let a sequence go on in an idle slot; False, with the slot empty, if there are no cells.

        Raises:
            DecodeFailed: it cannot be restored.
        """
        assert life.running is not None
        assert life.swapped_out is not None
        self._memory.save(slot)
        self._memory.drop(slot)
        try:
            self._memory.swap_in(slot, life.swapped_out.contents)
        except CacheFull:
            return False
        slot.run(life.running)
        life.resume()
        return True


def _precedence(slot: Slot) -> tuple[int, float, int]:
    assert slot.sequence is not None
    return slot.sequence.request.priority, -slot.sequence.started_s, -slot.id
