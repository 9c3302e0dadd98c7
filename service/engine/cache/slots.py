"""Slots: the places in which sequences run, and what each holds in the cache."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from service.engine.cache.prefix_index import common_length
from service.engine.request.items import Positions
from service.engine.request.snapshots import SlotSnapshot, SlotState
from service.engine.request.state import SequenceState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.engine.request.events import Finished
    from service.engine.request.items import PromptItem
    from service.engine.request.sequence import RunningSequence
    from service.engine.request.slot_requests import SlotImage

#: What a slot does, by the state of its sequence.
_SLOT_STATES = {SequenceState.PREFILL: SlotState.PREFILL, SequenceState.DECODING: SlotState.DECODE}


class Slot:
    """One of the places in which requests run. Its number is also its sequence id in the model.

    Attributes:
        items: what the model's memory holds for this slot, in order; stays after a request as its cache.
        positions: where they are.
        n_shared: no item from this one on shares a cell with another slot.
        shifted_at: the items from this one on have seen others that a context shift discarded; None if all are as if
            newly evaluated.
        moved: what it held when its cells went to others while it was idle; most of it is somewhere else then.
        salt: of the request that left the items; also says with which scales of LoRA adapters they were evaluated.
        tenant: whose request that was.
        n_system: how many items the system prompt has.
        task_id: of the running request or the last one, None before the first.
        sequence: what runs, None while idle.
        last_used_s: when the last request ended.
    """

    def __init__(self, slot_id: int) -> None:
        self.id = slot_id
        self.items: list[PromptItem] = []
        self.positions = Positions()
        self.n_shared = 0
        self.shifted_at: int | None = None
        self.moved: list[PromptItem] = []
        self.salt = ""
        self.tenant = ""
        self.task_id: int | None = None
        self.sequence: RunningSequence | None = None
        self.last_used_s = 0.0
        self.n_system = 0
        self._last = SlotSnapshot(
            id=slot_id,
            state=SlotState.IDLE,
            task_id=None,
            request=None,
            seed=0,
            prompt_tokens=0,
            prompt_tokens_done=0,
            tokens_predicted=0,
            tokens_remaining=None,
            cached_tokens=0,
            finished=None,
        )

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs in the slot."""
        return self.sequence is None

    @property
    def is_decoding(self) -> bool:
        """Whether the slot's prompt is evaluated and it generates."""
        return self.sequence is not None and self.sequence.life.state is SequenceState.DECODING

    @property
    def prompt_remaining(self) -> int:
        """Prompt tokens that are not evaluated yet; 0 once the slot decodes."""
        sequence = self.sequence
        if sequence is None or sequence.life.state is not SequenceState.PREFILL:
            return 0
        return len(sequence.prompt) - len(self.items)

    @property
    def next_position(self) -> int:
        """Position of the next item."""
        grouping = self.sequence.grouping if self.sequence is not None else None
        return len(self.items) + self.positions.extra if grouping is None else grouping.next

    @property
    def room(self) -> int | None:
        """Items that can be appended before positions must be regrouped, None for any number."""
        grouping = self.sequence.grouping if self.sequence is not None else None
        return None if grouping is None else grouping.room

    @property
    def n_reusable(self) -> int:
        """Items that can stand for the beginning of a prompt."""
        return len(self.items) if self.shifted_at is None else self.shifted_at

    def common_prefix(self, prompt: Sequence[PromptItem]) -> int:
        """Items of ``prompt`` that this slot's cache can stand for; the last one is never among them."""
        return common_length(self.items, prompt, min(self.n_reusable, len(prompt) - 1))

    def run(self, sequence: RunningSequence) -> None:
        """Begin with a sequence."""
        self.sequence = sequence
        self.moved = []
        self.task_id = sequence.task.id
        self.salt = sequence.request.cache_salt
        self.tenant = sequence.request.tenant
        self.n_system = sequence.n_system

    def hold(self, image: SlotImage, salt: str, now_s: float) -> None:
        """Take the items of an image, which are in place, for those of an earlier request with this salt."""
        self.task_id = None
        self.moved = []
        self.salt = salt
        self.tenant = image.tenant
        self.n_system = image.n_system
        self.last_used_s = now_s

    def release(self, now_s: float, finished: Finished | None = None) -> None:
        """Let the sequence go, with ``finished`` if it ended by itself. Its items stay as a cache, its texts do not."""
        assert self.sequence is not None
        last = self._describe(self.sequence, SlotState.IDLE, finished)
        if finished is not None and finished.stop_text is not None:
            finished = replace(finished, stop_text=b"")
        self._last = replace(last, request=self.sequence.request.without_texts(), finished=finished)
        self.sequence = None
        self.last_used_s = now_s

    def snapshot(self) -> SlotSnapshot:
        """The slot as it is now; while it is idle, with the facts of its last request."""
        if self.sequence is not None:
            state = _SLOT_STATES[self.sequence.life.state]
            return self._describe(self.sequence, state, None)
        if self._last.cached_tokens != self._n_cached:
            self._last = replace(self._last, cached_tokens=self._n_cached)
        return self._last

    @property
    def _n_cached(self) -> int:
        """Tokens in the cache, without those of the system prompt."""
        return max(0, len(self.items) - self.n_system)

    def _describe(self, sequence: RunningSequence, state: SlotState, finished: Finished | None) -> SlotSnapshot:
        limit = sequence.max_tokens
        return SlotSnapshot(
            id=self.id,
            state=state,
            task_id=sequence.task.id,
            request=sequence.request,
            seed=sequence.sampler.seed,
            prompt_tokens=sequence.n_prompt,
            prompt_tokens_done=min(self._n_cached, sequence.n_prompt),
            tokens_predicted=sequence.sampled,
            tokens_remaining=None if limit is None else max(0, limit - sequence.sampled),
            cached_tokens=self._n_cached,
            finished=finished,
            prompt_tokens_cached=sequence.n_cached,
        )


def started_s(slot: Slot) -> float:
    """When what runs in a slot got it, for the order of admission; 0 while it is idle."""
    return slot.sequence.started_s if slot.sequence is not None else 0.0
