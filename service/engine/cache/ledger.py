"""What each slot holds: changed in the model's memory and in the slot at once, and found by what prompts begin with."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from service.engine.cache.dump import SlotDump
from service.engine.cache.prefix_index import PrefixIndex
from service.engine.request.items import Positions, whole_length

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.engine.cache.slots import Slot
    from service.engine.language_model import Memory, ModelInfo
    from service.engine.request.items import PromptItem

logger = logging.getLogger(__name__)


class SlotLedger:
    """Changes what slots hold, in the model's memory and in ``slot.items`` at once.

    Slots share only beginnings: what ``share`` takes over, and nothing behind it.

    Args:
        info: facts about the model.
        memory: the model's; its sequence ids are the slots' numbers.
        slots: all slots in which requests run.

    Attributes:
        pinned: a slot beside those that always keeps its items; the system prompt's.
        is_divisible: whether a part of a sequence may be cut off or shared. Some models cannot do that at all, which is
            found out by trying, and some not always.
    """

    def __init__(self, info: ModelInfo, memory: Memory, slots: Sequence[Slot]) -> None:
        self._info = info
        self._memory = memory
        self._slots = slots
        self._index: PrefixIndex[Slot] = PrefixIndex()
        self.pinned: Slot | None = None
        self.is_divisible = True
        self._was_divided = self._was_refused = self._was_shared = False

    @property
    def cells_used(self) -> int:
        """Cells that hold an item, caches of idle slots included."""
        return self._info.n_cells - self._memory.cells_free

    def append(self, slot: Slot, items: Sequence[PromptItem]) -> None:
        """Record items that were evaluated in one call: tokens, or media."""
        if not isinstance(items[0], int):
            slot.positions.append(len(slot.items), items)
        slot.items.extend(items)
        if slot.sequence is not None and slot.sequence.grouping is not None:
            slot.sequence.grouping.append(len(items))

    def cut(self, slot: Slot, length: int) -> int:
        """Keep a slot's first ``length`` items; return how many are left.

        These are fewer if that is inside of what cannot be divided, and none if the model cannot cut a sequence.
        """
        if length >= len(slot.items):
            return len(slot.items)
        length = whole_length(slot.items, length)
        if length > 0 and not self._note_division(self._memory.remove(slot.id, slot.positions.at(length), -1)):
            length = 0
        if length == 0:
            self._memory.remove(slot.id, 0, -1)
        self._index.cut(slot, length)
        slot.positions.remove(length, len(slot.items))
        del slot.items[length:]
        slot.n_shared = min(slot.n_shared, length)
        if slot.shifted_at is not None and length <= slot.shifted_at:
            slot.shifted_at = None
        return length

    def drop(self, slot: Slot) -> None:
        """Remove everything of a slot, also what a failed ``decode`` may have left behind."""
        self._memory.remove(slot.id, 0, -1)
        self._index.remove(slot)
        slot.items.clear()
        slot.positions = Positions()
        slot.n_shared = 0
        slot.shifted_at = None

    def share(self, source: Slot, target: Slot, length: int) -> int:
        """Replace a slot's items by the first ``length`` of another one's; takes no cells.

        Returns:
            The number of items that the slot holds afterwards: 0 if this model's memory cannot be shared.
        """
        self.drop(target)
        if length == 0 or not self._note_division(self._memory.fork(source.id, target.id, source.positions.at(length))):
            return 0
        self._was_shared = True
        target.items.extend(source.items[:length])
        target.positions = source.positions.copy(length)
        target.n_shared = length
        source.n_shared = max(source.n_shared, length)
        return length

    def regroup(self, slot: Slot) -> None:
        """Close the full window of a slot with grouped positions."""
        assert slot.sequence is not None
        assert slot.sequence.grouping is not None
        change = slot.sequence.grouping.regroup()
        start, end = change.start, change.end
        if change.delta:
            self._memory.shift(slot.id, start, end, change.delta)
            start, end = start + change.delta, end + change.delta
        self._memory.divide(slot.id, start, end, change.divisor)

    def longest(
        self,
        salt: str,
        prompt: Sequence[PromptItem],
        accept: Callable[[Slot], bool] | None = None,
        *,
        whole: bool = False,
    ) -> tuple[Slot | None, int]:
        """The slot whose cache stands for most of a prompt, and for how many items; never for the last one.

        Args:
            salt: of the request that left the cache.
            prompt: the prompt.
            accept: whether a slot comes into question; None if all do.
            whole: only caches of which nothing has to be cut off.
        """
        self._index_growth()
        return self._index.longest(salt, prompt, len(prompt) - 1, accept, whole=whole)

    def _index_growth(self) -> None:
        """Let all slots be found by what they hold now. Done only before look-ups, which most steps do not have."""
        for slot in self._slots:
            self._index.extend(slot, slot.salt, slot.items, slot.n_reusable)

    def _note_division(self, succeeded: bool) -> bool:
        """Learn whether this model can divide sequences: it cannot if it has refused to and never did."""
        self._was_divided |= succeeded
        if not succeeded and not self._was_refused:
            self._was_refused = True
            logger.info("this model's cache cannot be split everywhere: equal beginnings of prompts are evaluated anew")
        self.is_divisible = self._was_divided or not self._was_refused
        return succeeded

    def _dump_slot(self, slot: Slot) -> SlotDump:
        return SlotDump(
            id=slot.id,
            is_idle=slot.is_idle,
            items=tuple(slot.items),
            salt=slot.salt,
            n_shared=slot.n_shared,
            n_reusable=slot.n_reusable,
            n_indexed=self._index.length(slot),
            next_position=slot.next_position,
        )
