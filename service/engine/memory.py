"""The KV cache as slots use it: what each holds, what may be dropped, and the ledger that counts it."""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf

from service.engine.context import plan_shift
from service.engine.ledger import CellLedger
from service.engine.model import LanguageModel
from service.engine.slots import Slot


class SlotMemory:
    """Changes what slots hold: in the model's memory, in ``slot.tokens`` and in the ledger, all at once.

    Args:
        model: its sequence ids 0 to ``len(slots) - 1`` belong to the slots of those numbers.
        slots: all slots, by number.
    """

    def __init__(self, model: LanguageModel, slots: SequenceOf[Slot]) -> None:
        self._model = model
        self._slots = slots
        self._ledger = CellLedger(model.info.n_cells, len(slots))

    @property
    def cells_used(self) -> int:
        """Cells held by all slots, caches of idle ones included."""
        return self._ledger.used

    def append(self, slot: Slot, tokens: SequenceOf[int]) -> None:
        """Record tokens that ``decode`` has appended."""
        slot.tokens.extend(tokens)
        self._ledger.claim(slot.id, len(tokens))

    def cut(self, slot: Slot, length: int) -> int:
        """Keep a slot's first ``length`` tokens, or none if the model cannot cut a sequence; return what is left."""
        if length >= len(slot.tokens):
            return len(slot.tokens)
        if length > 0 and not self._model.remove(slot.id, length, -1):
            length = 0
        if length == 0:
            self._model.remove(slot.id, 0, -1)
        self._ledger.release(slot.id, len(slot.tokens) - length)
        del slot.tokens[length:]
        return length

    def drop(self, slot: Slot) -> None:
        """Remove everything of a slot, also what a failed ``decode`` may have left behind."""
        self._model.remove(slot.id, 0, -1)
        self._ledger.release(slot.id, len(slot.tokens))
        slot.tokens.clear()

    def shift(self, slot: Slot, n_ctx: int, n_keep: int) -> int:
        """Discard the older half of a full slot behind its first ``n_keep`` tokens and its BOS.

        Returns:
            The number of discarded tokens; 0 if this model's memory cannot shift.
        """
        info = self._model.info
        if not info.can_shift:
            return 0
        has_bos = bool(slot.tokens) and slot.tokens[0] == info.bos_token
        shift = plan_shift(len(slot.tokens), n_ctx, n_keep + has_bos)
        if not self._model.remove(slot.id, shift.start, shift.end):
            return 0
        self._model.shift(slot.id, shift.end, len(slot.tokens), -shift.discarded)
        self._ledger.release(slot.id, shift.discarded)
        del slot.tokens[shift.start : shift.end]
        return shift.discarded

    def make_room(self, n_cells: int) -> bool:
        """Free cells by dropping caches of idle slots, least recently used first; False if that is not enough."""
        idle = sorted((slot for slot in self._slots if slot.is_idle), key=lambda slot: slot.last_used_s)
        for slot in idle:
            if self._ledger.free >= n_cells:
                break
            self.cut(slot, 0)
        return self._ledger.free >= n_cells
