"""What happens to sequences whose slot is full."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from service.engine.language_model import DecodeFailed
from service.engine.output.output import Ending
from service.engine.request.events import FinishReason
from service.engine.request.requests import Overflow

if TYPE_CHECKING:
    from service.engine.cache.slots import Slot
    from service.engine.parts import EngineParts
    from service.engine.request.sequence import RunningSequence

logger = logging.getLogger(__name__)


class FullContexts:
    """Makes room where the next token would not fit.

    Args:
        parts: of the engine.
    """

    def __init__(self, parts: EngineParts) -> None:
        self._slots = parts.slots
        self._memory = parts.memory
        self._endings = parts.endings
        self._n_ctx = parts.config.n_ctx_slot
        self._bos_token = parts.model.info.bos_token

    def make_room(self) -> None:
        """Shift, or end, every sequence whose slot is full; regroup the positions of full windows."""
        for slot in self._slots:
            sequence = slot.sequence
            if sequence is None:
                continue
            try:
                if slot.room == 0:
                    self._memory.regroup(slot)
                if len(slot.items) + 1 >= self._n_ctx and slot.is_decoding:
                    self._make_room_for(slot, sequence)
            except Exception as error:
                self._endings.fail_by_fault(slot, sequence, error)

    def _make_room_for(self, slot: Slot, sequence: RunningSequence) -> None:
        sequence.truncated = True
        discarded = 0
        if sequence.request.overflow is Overflow.TRUNCATE and sequence.grouping is None:
            has_bos = sequence.prompt[sequence.n_system] == self._bos_token
            n_keep = sequence.n_system + sequence.n_keep + has_bos
            try:
                discarded = self._memory.shift(slot, self._n_ctx, n_keep)
            except DecodeFailed as error:
                self._endings.fail_batch([slot.id], error)
                return
        if discarded:
            fields = {"slot_id": slot.id, "task_id": sequence.task.id, "n_discard": discarded}
            logger.info("slot context shift", extra=fields)
        else:
            self._endings.finish(slot, Ending(FinishReason.LENGTH))
