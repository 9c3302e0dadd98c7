"""Room in the KV cache: caches of idle slots that go and come back, and sequences that are swapped out."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from service.engine.cache.contents import SlotContents
from service.engine.cache.context_shift import plan_shift
from service.engine.cache.dump import LedgerDump
from service.engine.cache.idle_cells import IdleCells
from service.engine.cache.ledger import SlotLedger
from service.engine.cache.prefix_index import common_length
from service.engine.cache.salts import has_own_adapters
from service.engine.cache.saved_prompts import SavedPrompt, SavedPrompts
from service.engine.language_model import CacheFull, DecodeFailed
from service.engine.request.items import Positions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.config import EngineConfig
    from service.engine.cache.slots import Slot
    from service.engine.language_model import Memory, ModelInfo, SavedSequence
    from service.engine.request.items import PromptItem

logger = logging.getLogger(__name__)

#: Tokens that evaluation must be spared for a copy to pay. Copying took 3 µs per token and evaluating 2 to 6 ms, so
#: this bounds the bytes rather than the time.
MIN_GAIN = 32
#: Tokens that are copied in the time that it takes to evaluate one, cautiously.
COPIED_PER_EVALUATED = 100
#: Tokens that are copied beside the evaluation of one, to free cells for it: that takes 3 % of the time.
MOVED_PER_EVALUATED = 32
#: Speed of a copy, measured: 16 MB in 2 ms. It decides which copies would be felt by running requests.
COPIED_BYTES_PER_MS = 8_000_000


class SlotMemory(SlotLedger):
    """Finds room in the KV cache: what an idle slot loses is saved in main memory if it is worth it.

    Args:
        info: facts about the model.
        memory: the model's; its sequence ids are the slots' numbers.
        slots: all slots in which requests run.
        config: what may be kept where.

    Attributes:
        adapter_scales: of LoRA adapters, in force for everybody. With them all was evaluated whose salt says no others.
        saved: what slots lost; besides the attributes of ``SlotLedger``.
    """

    def __init__(self, info: ModelInfo, memory: Memory, slots: Sequence[Slot], config: EngineConfig) -> None:
        super().__init__(info, memory, slots)
        self._idle_cells = IdleCells(slots, config.idle_cells)
        self._felt_bytes = config.prefill_budget_ms * COPIED_BYTES_PER_MS
        self.adapter_scales = info.adapter_scales
        self.saved = SavedPrompts(config.cache_ram_bytes)

    @property
    def cells_available(self) -> int:
        """Cells that are free, or would be without the caches of idle slots; there may be some more."""
        return self._memory.cells_free + sum(len(slot.items) - slot.n_shared for slot in self._slots if slot.is_idle)

    def pinned_for(self, salt: str) -> Slot | None:
        """The pinned slot, if what it holds may begin what has this salt; None for that with scales of its own."""
        return None if has_own_adapters(salt) else self.pinned

    def own_scales(self, scales: tuple[float, ...] | None) -> tuple[float, ...] | None:
        """Scales of LoRA adapters, if they are others than those in force for everybody; None if they are not."""
        return None if scales == self.adapter_scales else scales

    def dump(self) -> LedgerDump:
        """All that is recorded of slots and saved prompts; there must be a pinned slot."""
        assert self.pinned is not None
        return LedgerDump(
            slots=tuple(map(self._dump_slot, self._slots)),
            system=self._dump_slot(self.pinned),
            n_slots_indexed=len(self._index),
            saved=self.saved.dump(),
            n_saved_indexed=self.saved.n_indexed,
            n_saved_bytes=self.saved.n_bytes,
        )

    def can_swap(self, slot: Slot) -> bool:
        """Whether what a slot holds could ever come back, with room for another token.

        It comes back to cells of its own, also what it shares now, beside the pinned slot.
        """
        n_pinned = 0 if self.pinned is None else len(self.pinned.items)
        return len(slot.items) + n_pinned < self._info.n_cells

    def swap_out(self, slot: Slot) -> SlotContents:
        """Move what a slot holds out of the cache.

        Raises:
            DecodeFailed: it cannot be copied; nothing was changed.
        """
        n_unique = self._count_unique(slot) if slot.shifted_at is None else 0
        saved = self._memory.save(slot.id)
        positions = slot.positions.copy(len(slot.items))
        contents = SlotContents(slot.items.copy(), positions, slot.shifted_at, saved, slot.salt)
        if n_unique >= MIN_GAIN:
            # The same copy: others may want the beginning before this one comes back.
            self._keep(slot, saved, n_unique)
        self.drop(slot)
        return contents

    def swap_in(self, slot: Slot, contents: SlotContents) -> None:
        """Let an empty slot hold what was taken out of one.

        Raises:
            CacheFull: there are no cells for it, even without the caches of idle slots; the slot is empty.
            DecodeFailed: it cannot be restored; the slot is empty.
        """
        if not self.make_room(contents.saved.n_cells):
            raise CacheFull
        self._memory.restore(slot.id, contents.saved)
        slot.items.extend(contents.items)
        slot.positions = contents.positions
        slot.shifted_at = contents.shifted_at
        self._share_pinned(slot, contents.salt)

    def shift(self, slot: Slot, n_ctx: int, n_keep: int) -> int:
        """Discard the older half of a full slot behind its first ``n_keep`` items.

        Media that the ends of that half go through is discarded as a whole, with all of it that follows each other: the
        parts of one picture do.

        Returns:
            The number of discarded items; 0 if this model's memory cannot shift, or if what must move is shared and
            no cells are free to copy it to.
        """
        if not self._info.can_shift:
            return 0
        shift = plan_shift(len(slot.items), n_ctx, n_keep)
        start, end = _widen(slot.items, shift.start, shift.end)
        # A cell has one position. What other slots share may go from this one, but it cannot move.
        if start == end or (slot.n_shared > end and not self._unshare(slot)):
            return 0
        first, behind = slot.positions.at(start), slot.positions.at(end)
        if not self._memory.remove(slot.id, first, behind):
            return 0
        self._memory.shift(slot.id, behind, slot.next_position, first - behind)
        self._index.cut(slot, start)
        slot.positions.remove(start, end)
        del slot.items[start:end]
        slot.n_shared = min(slot.n_shared, start)
        slot.shifted_at = start if slot.shifted_at is None else min(slot.shifted_at, start)
        return end - start

    # Caches ---------------------------------------------------------------------------------------------------------

    def longest_saved(
        self, salt: str, prompt: Sequence[PromptItem], n_present: int, *, whole: bool = False
    ) -> tuple[SavedPrompt | None, int]:
        """The saved cache that stands for most of a prompt, if it pays to restore it.

        ``n_present`` is the number of items that need not be evaluated anyway.
        """
        saved, length = self.saved.longest(salt, prompt, len(prompt) - 1, whole=whole)
        if saved is None or saved.saved.n_cells > self.cells_available:
            return None, 0
        gain = length - n_present
        pays = gain >= MIN_GAIN and gain * COPIED_PER_EVALUATED >= saved.saved.n_cells
        return (saved, length) if pays else (None, 0)

    def restore(self, slot: Slot, prompt: SavedPrompt, length: int) -> int:
        """Replace what an idle slot holds by the first ``length`` items of a saved prompt.

        Returns:
            The number of items that the slot holds afterwards: 0 if there are no cells, or if it went wrong.
        """
        self.drop(slot)
        if not self.make_room(prompt.saved.n_cells):
            return 0
        try:
            self._memory.restore(slot.id, prompt.saved)
        except CacheFull:
            return 0
        except DecodeFailed as error:
            logger.warning("a saved prompt is lost, and evaluated again", extra={"error": str(error)})
            self.saved.remove(prompt)
            return 0
        self.saved.use(prompt)
        slot.items.extend(prompt.items)
        slot.positions = prompt.positions.copy(len(prompt.items))
        self._share_pinned(slot, prompt.salt)
        return self.cut(slot, length)

    # Files ----------------------------------------------------------------------------------------------------------

    def recall(self, slot: Slot) -> int:
        """Let an idle slot hold all that it last held and that stands for a prompt, as far as it can be found.

        What its cells had to go for is in main memory, or other slots hold it. Returns the number of its items.
        """
        if slot.items:
            return self.cut(slot, slot.n_reusable)
        items = slot.moved
        other, in_slots = self._longest_in_slots(slot.salt, items)
        saved, in_memory = self.saved.longest(slot.salt, items, len(items))
        if saved is not None and in_memory > in_slots:
            if n_restored := self.restore(slot, saved, in_memory):
                return n_restored
            # The cache that made room for nothing may have been that one.
            other, in_slots = self._longest_in_slots(slot.salt, items)
        return 0 if other is None else self.share(other, slot, in_slots)

    def _longest_in_slots(self, salt: str, items: Sequence[PromptItem]) -> tuple[Slot | None, int]:
        """The slot that holds most of these items, which may be all of them, and how many."""
        self._index_growth()
        return self._index.longest(salt, items, len(items))

    def pack(self, slot: Slot) -> list[memoryview]:
        """A copy of what a slot holds, in buffers one after the other; also of what it shares.

        Raises:
            DecodeFailed, MemoryError: it cannot be copied; nothing was changed.
        """
        return self._memory.pack(self._memory.save(slot.id))

    def unpack(self, slot: Slot, items: Sequence[PromptItem], packed: memoryview, salt: str) -> None:
        """Replace what an idle slot holds by what was packed; that stays in main memory if it is worth it.

        Args:
            slot: the slot.
            items: what was packed.
            packed: the copy.
            salt: of the request that left it.

        Raises:
            ValueError: the bytes are no such copy of as many items. Nothing was changed.
            CacheFull: too few cells are left, even without the caches of idle slots, of which some may have gone.
            DecodeFailed: it cannot be restored; the slot is empty.
        """
        saved = self._memory.unpack(packed)
        if saved.n_cells != len(items):
            raise ValueError(f"it has {len(items)} tokens and {saved.n_cells} cells")
        if saved.n_cells > self.cells_available:
            raise CacheFull
        if slot.items:
            self._move_out(slot)
        positions = Positions()
        positions.append(0, items)
        self.swap_in(slot, SlotContents(list(items), positions, None, saved, salt))

    def forget(self, slot: Slot) -> int:
        """Empty an idle slot, and remove saved prompts that hold nothing but a beginning of what it held last.

        Returns the number of items that the slot held, or main memory for it.
        """
        items, n_items = slot.moved, len(slot.items)
        if slot.items:
            items = slot.items[: slot.n_reusable]
        n_saved = self.saved.forget_beginnings(slot.salt, items)
        self.drop(slot)
        slot.moved = []
        return n_items or n_saved

    # ----------------------------------------------------------------------------------------------------------------

    def _share_pinned(self, slot: Slot, salt: str) -> None:
        """Let a restored slot share what the pinned one holds of its beginning, as it did before: that frees cells.

        Without it, a sequence that filled nearly all cells could not go on, for want of those of the system prompt.
        """
        pinned = self.pinned_for(salt)
        if pinned is None or not pinned.items or not (self._info.can_cut and self._was_shared):
            return
        length = common_length(pinned.items, slot.items, len(pinned.items))
        is_moved = slot.shifted_at is not None and slot.shifted_at < length
        if length < len(pinned.items) or is_moved or not self._memory.remove(slot.id, 0, slot.positions.at(length)):
            return
        self._memory.fork(pinned.id, slot.id, pinned.positions.at(length))
        slot.n_shared = pinned.n_shared = length

    def save(self, slot: Slot, n_kept: int = 0) -> None:
        """Save what an idle slot holds, if it is worth it, before all but its first ``n_kept`` items go.

        It is not if others, or those that stay, can stand for nearly all of it.
        """
        length = slot.n_reusable
        n_unique = self._count_unique(slot, n_kept)
        # What a context shift left behind it stands for no prompt.
        if n_unique < MIN_GAIN or self.cut(slot, length) < length:
            return
        try:
            saved = self._memory.save(slot.id)
        except (DecodeFailed, MemoryError) as error:
            logger.warning("an idle slot's cache cannot be saved", extra={"slot_id": slot.id, "error": str(error)})
            return
        self._keep(slot, saved, n_unique)

    def _count_unique(self, slot: Slot, n_kept: int = 0) -> int:
        """Items that would have to be evaluated again without a slot's cache; 0 if it cannot be saved."""
        length, whole = slot.n_reusable, not self.is_divisible
        if whole and n_kept < len(slot.items):
            n_kept = 0
        if length - n_kept < MIN_GAIN or not self.saved.has_room(length):
            return 0
        self._index_growth()
        _, in_slots = self._index.longest(slot.salt, slot.items, length, lambda other: other is not slot, whole=whole)
        _, in_memory = self.saved.longest(slot.salt, slot.items, length, whole=whole)
        pinned = self.pinned_for(slot.salt)
        in_pinned = 0 if pinned is None else common_length(pinned.items, slot.items, length)
        return length - max(n_kept, in_slots, in_memory, in_pinned)

    def _keep(self, slot: Slot, saved: SavedSequence, n_unique: int) -> None:
        """Keep a copy of all that a slot holds, for others."""
        positions = slot.positions.copy(len(slot.items))
        prompt = SavedPrompt(slot.items.copy(), positions, saved, slot.salt, n_unique)
        self.saved.put(prompt, covers_beginnings=self.is_divisible)

    def make_room(self, n_cells: int) -> bool:
        """Free cells by moving caches of idle slots out, least recently used first; False if that is not enough."""
        if self._memory.cells_free >= n_cells:
            return True
        for slot in self._idle():
            self._move_out(slot)
            if self._memory.cells_free >= n_cells:
                return True
        return False

    def limit_idle(self) -> None:
        """If idle caches slow down running requests, move the least recently used ones out, as far as nobody feels it.

        Each step walks over all cells, so idle ones may be few, but for those that are too short to be copied. While
        anyone decodes, one moves per call, and none whose copy takes longer than a prompt may take from a step.
        Otherwise as many move as take a small part of the time of the prompts, but one at least.
        """
        if not self._idle_cells.are_too_many(self):
            return
        is_busy = any(slot.is_decoding for slot in self._slots)
        n_allowed = 0 if is_busy else MOVED_PER_EVALUATED * sum(slot.prompt_remaining for slot in self._slots)
        for slot in self._idle():
            n_cells = len(slot.items)
            is_felt = is_busy and self.saved.estimate_bytes(n_cells) > self._felt_bytes
            if n_cells < MIN_GAIN or is_felt or not self.saved.has_room(n_cells):
                continue
            self._move_out(slot)
            n_allowed -= n_cells
            if n_allowed <= 0 or not self._idle_cells.are_too_many(self):
                return

    def _move_out(self, slot: Slot) -> None:
        """Free the cells of an idle slot."""
        self.save(slot)
        slot.moved = slot.items[: slot.n_reusable]
        self.drop(slot)

    def drop_all(self) -> None:
        """Remove everything of all slots, and what is saved."""
        for slot in self._slots:
            self.drop(slot)
            slot.moved = []
        self.saved.clear()

    def _unshare(self, slot: Slot) -> bool:
        """Copy what a slot shares to cells of its own; False, with nothing changed, if there are too few."""
        for _ in range(2):
            try:
                self._memory.unshare(slot.id)
            except CacheFull:
                # The caches that go may be what it is shared with, and then nothing has to be copied.
                self.make_room(slot.n_shared)
            else:
                slot.n_shared = 0
                return True
        return False

    def _idle(self) -> list[Slot]:
        return sorted((slot for slot in self._slots if slot.is_idle and slot.items), key=lambda slot: slot.last_used_s)


def _widen(items: Sequence[PromptItem], start: int, end: int) -> tuple[int, int]:
    """The range ``start`` to ``end``, widened by the rest of the media in which it begins and ends."""
    while 0 < start < len(items) and not isinstance(items[start], int) and not isinstance(items[start - 1], int):
        start -= 1
    while 0 < end < len(items) and not isinstance(items[end - 1], int) and not isinstance(items[end], int):
        end += 1
    return start, end
