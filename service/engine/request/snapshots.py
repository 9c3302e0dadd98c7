"""The engine as it is after a step, for other threads to read."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from service.engine.statistics.distributions import Distributions

if TYPE_CHECKING:
    from service.engine.request.events import Finished
    from service.engine.request.requests import GenerationRequest, SystemPrompt


class Outcome(enum.Enum):
    """How a request for text ended: as the last of its sequences did."""

    STOP = "stop"
    LENGTH = "length"
    CANCELLED = "cancelled"
    FAILED = "failed"


class SlotState(enum.Enum):
    """What a slot does."""

    IDLE = "idle"
    PREFILL = "prefill"
    DECODE = "decode"


@dataclass(frozen=True, slots=True)
class SlotSnapshot:
    """One slot after a step. The fields of a task are those of the last one while the slot is idle, without texts."""

    id: int
    state: SlotState
    task_id: int | None
    request: GenerationRequest | None
    seed: int
    prompt_tokens: int
    prompt_tokens_done: int
    tokens_predicted: int
    tokens_remaining: int | None
    cached_tokens: int
    finished: Finished | None
    prompt_tokens_cached: int = 0


@dataclass(frozen=True, slots=True)
class Counters:
    """Totals since start; times in seconds, summed over requests.

    Attributes:
        cached_prompt_tokens: prompt tokens that were taken from the cache; not among ``prompt_tokens``.
        requests: requests for text that are over, by ``Outcome`` in its order.
        preemptions: sequences that had to give way, to go on later.
        drafted_tokens: tokens that were tried ahead, in ``drafts`` drafts; ``accepted_tokens`` of them were right.
        step_s: duration of all steps; of that ``model_s`` in the model, and ``sampling_s`` to choose tokens.
        model_calls: calls of the model, with ``call_sequences`` sequences in all.
        embedded_tokens: items of inputs that were embedded; not among ``prompt_tokens``.
        longest: most items that prompt and output of one sequence had together.
    """

    prompt_tokens: int = 0
    prompt_s: float = 0.0
    predicted_tokens: int = 0
    predicted_s: float = 0.0
    finished: int = 0
    steps: int = 0
    interrupted_steps: int = 0
    cached_prompt_tokens: int = 0
    requests: tuple[int, ...] = (0,) * len(Outcome)
    preemptions: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    step_s: float = 0.0
    model_s: float = 0.0
    sampling_s: float = 0.0
    drafts: int = 0
    model_calls: int = 0
    call_sequences: int = 0
    embedded_tokens: int = 0
    longest: int = 0


@dataclass(frozen=True, slots=True)
class EngineSnapshot:
    """The engine after a step; immutable, so any thread may read it.

    Attributes:
        slots: all slots, by number.
        queue_depth: requests that wait.
        kv_cells_used: cells that hold a token, caches of idle slots included; a shared cell counts once.
        kv_cells_total: all cells.
        counters: totals since start.
        system_prompt: the one in force, None without one.
        distributions: histograms since start.
        saved_prompts, saved_bytes: caches in main memory, and what they take.
        restored_prompts: how often one of them was restored since start.
        waiting_prompt_tokens: items of prompts that wait for a slot, or to be embedded, and are not evaluated yet.
        waiting_output_tokens: tokens that requests without a slot may sample.
        n_ctx: tokens of context that a slot has beside the system prompt.
        prompt_tokens_per_second: prompt tokens evaluated per second of evaluating prompts, lately; 0 before the first.
        adapter_scales: of the LoRA adapters in force, one for each.
    """

    slots: tuple[SlotSnapshot, ...]
    queue_depth: int
    kv_cells_used: int
    kv_cells_total: int
    counters: Counters
    system_prompt: SystemPrompt | None = None
    distributions: Distributions = field(default_factory=Distributions)
    saved_prompts: int = 0
    saved_bytes: int = 0
    restored_prompts: int = 0
    waiting_prompt_tokens: int = 0
    waiting_output_tokens: int = 0
    n_ctx: int = 0
    prompt_tokens_per_second: float = 0.0
    adapter_scales: tuple[float, ...] = ()

    @property
    def slots_processing(self) -> int:
        """Slots with a request."""
        return sum(slot.state is not SlotState.IDLE for slot in self.slots)

    @property
    def prompt_tokens_outstanding(self) -> int:
        """Prompt tokens of waiting and running requests that are not evaluated yet."""
        running = (slot for slot in self.slots if slot.state is SlotState.PREFILL)
        return self.waiting_prompt_tokens + sum(slot.prompt_tokens - slot.prompt_tokens_done for slot in running)

    @property
    def output_tokens_outstanding(self) -> int:
        """Tokens that waiting and running requests may still sample: without a limit, what the context has room for."""
        return self.waiting_output_tokens + sum(
            slot.tokens_remaining
            if slot.tokens_remaining is not None
            else max(0, self.n_ctx - max(slot.prompt_tokens, slot.cached_tokens))
            for slot in self.slots
            if slot.state is not SlotState.IDLE
        )
