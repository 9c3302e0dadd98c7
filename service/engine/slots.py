"""Slots and the sequences that run in them."""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, field, replace

from service.engine.text import TextOutput
from service.engine.types import Finished, GenerationRequest, Sink, SlotSnapshot, SlotState, TokenRecord
from service.sampling.grammar import Grammar
from service.sampling.sampler import Sampler


@dataclass(slots=True)
class WaitingRequest:
    """A request that has no slot yet."""

    task_id: int
    request: GenerationRequest
    sink: Sink
    arrived_s: float


@dataclass(slots=True)
class Sequence:
    """A request that runs in a slot.

    Attributes:
        prompt: the prompt after truncation.
        n_keep: prompt tokens kept on a context shift, resolved; without the BOS that the model wants in front.
        cached: prompt tokens that were in the cache at the start.
        sampler, text: the state of its output.
        grammar: the sampler's grammar, None without one; to be closed at the end.
        max_tokens: the limit in force, None for none.
        started_s: when it got its slot; ``first_token_s`` is set at the first sampled token.
        pending: the last sampled token, not evaluated yet; None during prefill.
        held_records: records of tokens whose text is not complete yet.
    """

    task_id: int
    request: GenerationRequest
    sink: Sink
    prompt: tuple[int, ...]
    n_keep: int
    cached: int
    truncated: bool
    sampler: Sampler
    grammar: Grammar | None
    text: TextOutput
    max_tokens: int | None
    started_s: float
    first_token_s: float | None = None
    pending: int | None = None
    sampled: int = 0
    held_records: list[TokenRecord] = field(default_factory=list)


class Slot:
    """One of the places in which requests run. Its number is also its sequence id in the model.

    Attributes:
        tokens: what the model's memory holds for this slot, by position; stays after a request as its cache.
        sequence: the running request, None while idle.
        last_used_s: when the last request ended.
    """

    def __init__(self, slot_id: int) -> None:
        self.id = slot_id
        self.tokens: list[int] = []
        self.sequence: Sequence | None = None
        self.last_used_s = 0.0
        self._last: SlotSnapshot | None = None

    @property
    def is_idle(self) -> bool:
        """Whether the slot has no request."""
        return self.sequence is None

    @property
    def is_decoding(self) -> bool:
        """Whether the slot's prompt is evaluated and it generates."""
        return self.sequence is not None and self.sequence.pending is not None

    @property
    def prompt_remaining(self) -> int:
        """Prompt tokens that are not evaluated yet; 0 once the slot decodes."""
        sequence = self.sequence
        if sequence is None or sequence.pending is not None:
            return 0
        return len(sequence.prompt) - len(self.tokens)

    def reusable_prefix(self, prompt: SequenceOf[int]) -> int:
        """Tokens of ``prompt`` that this slot's cache can stand for; at least the last one is left to evaluate."""
        limit = min(len(self.tokens), len(prompt) - 1)
        for position in range(limit):
            if self.tokens[position] != prompt[position]:
                return position
        return limit

    def release(self, now_s: float, finished: Finished | None = None) -> None:
        """End the request, with ``finished`` if it ended by itself; the tokens stay as a cache."""
        assert self.sequence is not None
        self._last = self._describe(self.sequence, SlotState.IDLE, finished)
        self.sequence = None
        self.last_used_s = now_s

    def snapshot(self) -> SlotSnapshot:
        """The slot as it is now; while it is idle, with the facts of its last request."""
        if self.sequence is not None:
            state = SlotState.DECODE if self.is_decoding else SlotState.PREFILL
            return self._describe(self.sequence, state, None)
        if self._last is not None:
            return replace(self._last, cached_tokens=len(self.tokens))
        return SlotSnapshot(
            id=self.id,
            state=SlotState.IDLE,
            task_id=None,
            request=None,
            seed=0,
            prompt_tokens=0,
            prompt_tokens_done=0,
            tokens_predicted=0,
            tokens_remaining=None,
            cached_tokens=len(self.tokens),
            finished=None,
        )

    def _describe(self, sequence: Sequence, state: SlotState, finished: Finished | None) -> SlotSnapshot:
        limit = sequence.max_tokens
        return SlotSnapshot(
            id=self.id,
            state=state,
            task_id=sequence.task_id,
            request=sequence.request,
            seed=sequence.sampler.seed,
            prompt_tokens=len(sequence.prompt),
            prompt_tokens_done=min(len(self.tokens), len(sequence.prompt)),
            tokens_predicted=sequence.sampled,
            tokens_remaining=None if limit is None else max(0, limit - sequence.sampled),
            cached_tokens=len(self.tokens),
            finished=finished,
        )
