"""Reuse of what was evaluated: in which slot a prompt runs, and with whose cache it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.config import EngineConfig
    from service.engine.cache.slot_memory import SlotMemory
    from service.engine.cache.slots import Slot
    from service.engine.request.items import PromptItem
    from service.engine.request.requests import GenerationRequest
    from service.engine.request.task import Task

#: A cache decides about the slot only if it stands for more than this part of the prompt.
MIN_SHARED_PART = 0.1


class PromptReuse:
    """Finds caches for prompts and moves them into slots.

    A prompt may begin with what requests of the same salt left, if it wants the cache; with what sequences of its own
    task evaluated; and with the system prompt, unless it has scales of LoRA adapters of its own: the system prompt was
    evaluated with those in force for everybody.

    Args:
        config: slots and limits.
        slots: the slots.
        memory: what they hold, and the system prompt's slot.
    """

    def __init__(self, config: EngineConfig, slots: Sequence[Slot], memory: SlotMemory) -> None:
        # Positions of grouped tokens are not those of their places, and sharing would freeze them.
        self.is_possible = config.group_n == 1
        self._slots = slots
        self._memory = memory

    def choose_slot(self, request: GenerationRequest, prompt: Sequence[PromptItem]) -> Slot:
        """The requested slot if it is idle, else the one with the best cache, else the one whose cache is worth least.

        At least one slot must be idle.
        """
        idle = [slot for slot in self._slots if slot.is_idle]
        for slot in idle:
            if slot.id == request.slot_id:
                return slot
        if self._may_look_up(request):
            best, length = self._best_idle(request.cache_salt, prompt)
            whole = not self._memory.is_divisible
            saved, _ = self._memory.longest_saved(request.cache_salt, prompt, length, whole=whole)
            if best is not None and saved is None and length > MIN_SHARED_PART * len(prompt):
                return best
        return min(idle, key=lambda slot: (bool(slot.items), slot.last_used_s, slot.id))

    def attach_prefix(self, slot: Slot, task: Task, prompt: Sequence[PromptItem]) -> int:
        """Let an idle slot hold the longest cached beginning of a prompt, and nothing else; return its length."""
        for whole in (False, True) if self._memory.is_divisible else (True,):
            if length := self._attach_best(slot, task, prompt, whole=whole):
                return length
        # A model that refused to cut before may do it this time.
        length = slot.common_prefix(prompt) if self._may_use(slot, task) else 0
        self._memory.save(slot, length)
        return self._memory.cut(slot, length)

    def _attach_best(self, slot: Slot, task: Task, prompt: Sequence[PromptItem], *, whole: bool) -> int:
        """The same from the best cache alone; ``whole`` considers only caches of which nothing has to be cut off.

        Returns 0 if there is none, or if the model refuses.
        """
        best, length = self._best(slot, task, prompt, whole=whole)
        if self._may_look_up(task.request):
            saved, saved_length = self._memory.longest_saved(task.request.cache_salt, prompt, length, whole=whole)
            if saved is not None:
                self._memory.save(slot)
                if n_restored := self._memory.restore(slot, saved, saved_length):
                    return n_restored
                # The caches that made room for nothing may have been the best ones.
                best, length = self._best(slot, task, prompt, whole=whole)
        if best is None:
            return 0
        if best is not slot:
            self._memory.save(slot)
            return self._memory.share(best, slot, length)
        self._memory.save(slot, length)
        return self._memory.cut(slot, length)

    def cached_length(self, request: GenerationRequest, prompt: Sequence[PromptItem]) -> int:
        """How many items of a prompt are cached, so that a sequence that started now need not evaluate them."""
        whole = not self._memory.is_divisible
        _, in_slots = self._memory.longest(request.cache_salt, prompt, whole=whole)
        pinned = self._memory.pinned_for(request.cache_salt)
        if pinned is not None:
            in_slots = max(in_slots, pinned.common_prefix(prompt))
        _, in_memory = self._memory.longest_saved(request.cache_salt, prompt, in_slots, whole=whole)
        return max(in_slots, in_memory)

    def _best_idle(self, salt: str, prompt: Sequence[PromptItem]) -> tuple[Slot | None, int]:
        if not self._memory.is_divisible:
            best, length = self._memory.longest(salt, prompt, _is_idle, whole=True)
            if best is not None:
                return best, length
        return self._memory.longest(salt, prompt, _is_idle)

    def _best(self, slot: Slot, task: Task, prompt: Sequence[PromptItem], *, whole: bool) -> tuple[Slot | None, int]:
        """Whose cache covers most of a prompt, and how much; of equal ones the slot's own goes before all others."""
        sources = [slot] if self._may_use(slot, task) else []
        if self.is_possible:
            sources += [other for other in self._slots if other.task_id == task.id and other is not slot]
        pinned = self._memory.pinned_for(task.request.cache_salt)
        if pinned is not None:
            sources.append(pinned)
        lengths = {other: other.common_prefix(prompt) for other in sources}
        if whole:
            lengths = {other: length for other, length in lengths.items() if length == len(other.items)}
        best, length = max(lengths.items(), key=lambda item: item[1], default=(None, 0))
        if self._may_look_up(task.request):
            other, other_length = self._memory.longest(task.request.cache_salt, prompt, whole=whole)
            if other_length > length:
                return other, other_length
        return (best, length) if length else (None, 0)

    def _may_look_up(self, request: GenerationRequest) -> bool:
        """Whether a request may begin with what others left."""
        return self.is_possible and request.cache_prompt

    def _may_use(self, slot: Slot, task: Task) -> bool:
        """Whether a sequence may begin with what its own slot holds."""
        is_shared = self._may_look_up(task.request) and slot.salt == task.request.cache_salt
        return is_shared or (self.is_possible and slot.task_id == task.id)


def _is_idle(slot: Slot) -> bool:
    return slot.is_idle
