"""The KV cache as slots use it: what each holds, what they share, and what may be dropped."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass

from service.engine.context import plan_shift
from service.engine.model import CacheFull, LanguageModel, SavedSequence
from service.engine.slots import Slot


@dataclass(frozen=True, slots=True, eq=False)
class SlotContents:
    """What a slot held, outside of the cache; the fields are those of ``Slot``."""

    tokens: list[int]
    shifted_at: int | None
    saved: SavedSequence


class SlotMemory:
    """Changes what slots hold, in the model's memory and in ``slot.tokens`` at once.

    Slots share only beginnings: what ``share`` takes over, and nothing behind it.

    Args:
        model: its sequence ids are the slots' numbers.
        slots: all slots in which requests run.
    """

    def __init__(self, model: LanguageModel, slots: SequenceOf[Slot]) -> None:
        self._model = model
        self._slots = slots

    @property
    def cells_used(self) -> int:
        """Cells that hold a token, caches of idle slots included."""
        return self._model.info.n_cells - self._model.cells_free

    @property
    def cells_available(self) -> int:
        """Cells that are free, or would be without the caches of idle slots; there may be some more."""
        return self._model.cells_free + sum(len(slot.tokens) - slot.n_shared for slot in self._slots if slot.is_idle)

    def append(self, slot: Slot, tokens: SequenceOf[int]) -> None:
        """Record tokens that ``decode`` has appended."""
        slot.tokens.extend(tokens)
        if slot.sequence is not None and slot.sequence.grouping is not None:
            slot.sequence.grouping.append(len(tokens))

    def cut(self, slot: Slot, length: int) -> int:
        """Keep a slot's first ``length`` tokens, or none if the model cannot cut a sequence; return what is left."""
        if length >= len(slot.tokens):
            return len(slot.tokens)
        if length > 0 and not self._model.remove(slot.id, length, -1):
            length = 0
        if length == 0:
            self._model.remove(slot.id, 0, -1)
        del slot.tokens[length:]
        slot.n_shared = min(slot.n_shared, length)
        if slot.shifted_at is not None and length <= slot.shifted_at:
            slot.shifted_at = None
        return length

    def drop(self, slot: Slot) -> None:
        """Remove everything of a slot, also what a failed ``decode`` may have left behind."""
        self._model.remove(slot.id, 0, -1)
        slot.tokens.clear()
        slot.n_shared = 0
        slot.shifted_at = None

    def share(self, source: Slot, target: Slot, length: int) -> int:
        """Replace a slot's tokens by the first ``length`` of another one's; takes no cells.

        Returns:
            The number of tokens that the slot holds afterwards: 0 if this model's memory cannot be shared.
        """
        self.drop(target)
        if length == 0 or not self._model.fork(source.id, target.id, length):
            return 0
        target.tokens.extend(source.tokens[:length])
        target.n_shared = length
        source.n_shared = max(source.n_shared, length)
        return length

    def take_out(self, slot: Slot) -> SlotContents:
        """Move what a slot holds out of the cache.

        Raises:
            DecodeFailed: it cannot be copied; nothing was changed.
        """
        contents = SlotContents(slot.tokens.copy(), slot.shifted_at, self._model.save(slot.id))
        self.drop(slot)
        return contents

    def put_back(self, slot: Slot, contents: SlotContents) -> None:
        """Let an empty slot hold what was taken out of one.

        Raises:
            CacheFull: there are no cells for it, even without the caches of idle slots; the slot is empty.
            DecodeFailed: it cannot be restored; the slot is empty.
        """
        if not self.make_room(contents.saved.n_cells):
            raise CacheFull
        self._model.restore(slot.id, contents.saved)
        slot.tokens.extend(contents.tokens)
        slot.shifted_at = contents.shifted_at

    def shift(self, slot: Slot, n_ctx: int, n_keep: int) -> int:
        """Discard the older half of a full slot behind its first ``n_keep`` tokens.

        Returns:
            The number of discarded tokens; 0 if this model's memory cannot shift, or if what must move is shared and
            no cells are free to copy it to.
        """
        if not self._model.info.can_shift:
            return 0
        shift = plan_shift(len(slot.tokens), n_ctx, n_keep)
        # A cell has one position. What other slots share may go from this one, but it cannot move.
        if slot.n_shared > shift.end and not self._unshare(slot):
            return 0
        if not self._model.remove(slot.id, shift.start, shift.end):
            return 0
        self._model.shift(slot.id, shift.end, len(slot.tokens), -shift.discarded)
        del slot.tokens[shift.start : shift.end]
        slot.n_shared = min(slot.n_shared, shift.start)
        slot.shifted_at = shift.start if slot.shifted_at is None else min(slot.shifted_at, shift.start)
        return shift.discarded

    def regroup(self, slot: Slot) -> None:
        """Close the full window of a slot with grouped positions."""
        assert slot.sequence is not None and slot.sequence.grouping is not None
        change = slot.sequence.grouping.regroup()
        start, end = change.start, change.end
        if change.delta:
            self._model.shift(slot.id, start, end, change.delta)
            start, end = start + change.delta, end + change.delta
        self._model.divide(slot.id, start, end, change.divisor)

    def make_room(self, n_cells: int) -> bool:
        """Free cells by dropping caches of idle slots, least recently used first; False if that is not enough."""
        if self._model.cells_free >= n_cells:
            return True
        for slot in self._idle():
            self.drop(slot)
            if self._model.cells_free >= n_cells:
                return True
        return False

    def _unshare(self, slot: Slot) -> bool:
        """Copy what a slot shares to cells of its own; False, with nothing changed, if there are too few."""
        for _ in range(2):
            try:
                self._model.unshare(slot.id)
            except CacheFull:
                # The caches that go may be what it is shared with, and then nothing has to be copied.
                self.make_room(slot.n_shared)
            else:
                slot.n_shared = 0
                return True
        return False

    def _idle(self) -> Iterable[Slot]:
        return sorted((slot for slot in self._slots if slot.is_idle and slot.tokens), key=lambda slot: slot.last_used_s)
