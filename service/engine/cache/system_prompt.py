"""The system prompt: evaluated once, then shared by all slots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.engine.cache.slots import Slot
from service.engine.language_model import Segment
from service.engine.request.requests import SystemPrompt
from service.engine.schedule.prefill_budget import PrefillBudget, StepShape

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.engine.cache.slot_memory import SlotMemory
    from service.engine.language_model import Compute


class SystemPromptHolder:
    """Holds the system prompt in a sequence of its own, from which slots share it.

    Args:
        compute: evaluates it.
        n_batch: most tokens of one call.
        seq_id: the sequence that belongs to the holder.
        memory: of the slots.
        clock: seconds, monotonic.
    """

    def __init__(
        self, compute: Compute, n_batch: int, seq_id: int, memory: SlotMemory, clock: Callable[[], float]
    ) -> None:
        self._compute = compute
        self._n_batch = n_batch
        self._memory = memory
        self._clock = clock
        self._prompt = SystemPrompt()
        self.slot = memory.pinned = Slot(seq_id)

    @property
    def current(self) -> SystemPrompt | None:
        """The system prompt in force, None without one."""
        return self._prompt if self._prompt.text else None

    @property
    def tokens(self) -> tuple[int, ...]:
        """Its tokens; none without one."""
        return self._prompt.tokens

    @property
    def is_pending(self) -> bool:
        """Whether it is not evaluated yet."""
        return len(self.slot.items) < len(self._prompt.tokens)

    def change(self, prompt: SystemPrompt) -> bool:
        """Set another prompt, to be evaluated; return whether what slots hold has become useless."""
        is_other = prompt.tokens != self._prompt.tokens
        self._prompt = prompt
        if is_other:
            self._memory.drop(self.slot)
        return is_other

    def forget(self) -> None:
        """Evaluate it again before anything else runs."""
        self._memory.drop(self.slot)

    def advance(self, budget: PrefillBudget) -> int:
        """Evaluate the next chunk; return its number of tokens.

        Raises:
            CacheFull, DecodeFailed: it cannot be evaluated; there is no system prompt now.
        """
        start = len(self.slot.items)
        n_tokens = min(budget.tokens(StepShape(context=start)), self._n_batch)
        chunk = self._prompt.tokens[start : start + n_tokens]
        started_s = self._clock()
        try:
            self._compute.decode([Segment(self.slot.id, start, chunk, 0)])
        except BaseException:
            self._prompt = SystemPrompt()
            self._memory.drop(self.slot)
            raise
        budget.observe(len(chunk), StepShape(context=start), self._clock() - started_s)
        self._memory.append(self.slot, chunk)
        return len(chunk)
