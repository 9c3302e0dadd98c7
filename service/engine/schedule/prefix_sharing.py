"""Requests whose prompts begin alike: one evaluates the beginning, the others wait for it and share it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.engine.cache.prefix_index import common_length
from service.engine.cache.reuse import MIN_SHARED_PART, PromptReuse
from service.engine.cache.slot_memory import MIN_GAIN, SlotMemory
from service.engine.request.state import SequenceState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.engine.cache.slots import Slot
    from service.engine.request.items import PromptItem
    from service.engine.request.requests import GenerationRequest
    from service.engine.request.sequence import RunningSequence, SequenceLife


@dataclass(frozen=True, slots=True)
class _Producer:
    """A sequence whose prompt is being evaluated in a slot; its first ``n_shared`` items are also the consumer's."""

    slot: Slot
    sequence: RunningSequence
    n_shared: int

    @property
    def is_awaited(self) -> bool:
        """Whether it still evaluates what the consumer is to share."""
        return self.slot.sequence is self.sequence and len(self.slot.items) < self.n_shared


class PrefixSharing:
    """Tells which queued sequences should wait because the beginning of their prompt is just being evaluated.

    A consumer waits only for what runs, and only until that is evaluated or gone: nobody waits in a circle or for ever.

    Args:
        slots: the slots.
        memory: what they hold.
        reuse: what can be taken over already.
        prompt_of: the items that a request's prompt is evaluated as; None if it will be refused.
    """

    def __init__(
        self,
        slots: Sequence[Slot],
        memory: SlotMemory,
        reuse: PromptReuse,
        prompt_of: Callable[[GenerationRequest], list[PromptItem] | None],
    ) -> None:
        self._slots = slots
        self._memory = memory
        self._reuse = reuse
        self._prompt_of = prompt_of
        self._producers: dict[SequenceLife, _Producer] = {}

    def __len__(self) -> int:
        """The number of sequences that are remembered to wait for another one."""
        return len(self._producers)

    def forget_ended(self) -> None:
        """End the waiting of consumers whose producer has evaluated the shared beginning, or is gone."""
        for life, producer in list(self._producers.items()):
            if life.state is not SequenceState.SHARING or not producer.is_awaited:
                self._forget(life)

    def waits_for_first(self, life: SequenceLife) -> bool:
        """Whether a sequence waits for the first one of its request to evaluate the prompt of both."""
        return life.state is SequenceState.SHARING and life not in self._producers

    def must_wait(self, life: SequenceLife) -> bool:
        """Whether a sequence should not start now, but wait for a producer."""
        producer = self._producers.get(life)
        if producer is None or not producer.is_awaited:
            producer = self._find_producer(life)
            if producer is None:
                self._forget(life)
                return False
            self._producers[life] = producer
            if life.state is SequenceState.WAITING:
                life.move(SequenceState.SHARING)
        return True

    def _forget(self, life: SequenceLife) -> None:
        self._producers.pop(life, None)
        if life.state is SequenceState.SHARING:
            life.move(SequenceState.WAITING)

    def _find_producer(self, life: SequenceLife) -> _Producer | None:
        request = life.task.request
        is_scored = request.prompt_logprobs is not None and life.index == 0
        may_share = request.cache_prompt and not is_scored and self._reuse.is_possible and self._memory.is_divisible
        if (
            not may_share
            or life.state is SequenceState.PREEMPTED
            or not any(slot.prompt_remaining for slot in self._slots)
        ):
            return None
        prompt = self._prompt_of(request)
        if prompt is None:
            return None
        producers = [
            _Producer(slot, slot.sequence, common_length(slot.sequence.prompt, prompt, len(prompt) - 1))
            for slot in self._slots
            if slot.sequence is not None and slot.prompt_remaining and slot.salt == request.cache_salt
        ]
        awaited = (producer for producer in producers if producer.is_awaited)
        best = max(awaited, key=lambda producer: producer.n_shared, default=None)
        if best is None or best.n_shared < max(MIN_GAIN, MIN_SHARED_PART * len(prompt)):
            return None
        gain = best.n_shared - self._reuse.cached_length(request, prompt)
        return best if gain >= MIN_GAIN and gain > MIN_SHARED_PART * len(prompt) else None
