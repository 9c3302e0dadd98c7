"""One step of all that runs: plan, run, apply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.engine.language_model import CacheFull, DecodeFailed, Segment
from service.engine.output.choice import TokenChoice, Turn
from service.engine.output.scoring import UnusableScore, score
from service.engine.request.state import SequenceState
from service.engine.request.task import unforeseen
from service.engine.schedule.plan import EMBEDDINGS, PrefillWork, StepPlan, plan_step
from service.engine.schedule.prefill_budget import StepShape
from service.engine.schedule.speculation import Speculation
from service.errors import CacheExhausted, EngineFailure
from slotline.protocol.reasons import KV_CELLS_TOTAL

if TYPE_CHECKING:
    from service.engine.cache.slots import Slot
    from service.engine.parts import EngineParts

_NO_PROMPTS = StepShape()


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a step is to evaluate.

    Attributes:
        shape: what the step is like, for the time that its prompt tokens take.
        states: the segments whose states embeddings wait for; they are evaluated in a call of their own.
        budget: prompt tokens that fit beside them into the step's time.
        tokens: everything else.
    """

    shape: StepShape
    states: list[Segment]
    budget: int
    tokens: StepPlan


@dataclass(frozen=True, slots=True)
class _Batch:
    """What a step evaluated, with ``n_filler`` tokens more, in a call that began at ``started_s``."""

    plan: _Plan
    segments: list[Segment]
    n_filler: int
    started_s: float


class Step:
    """Evaluates what runs in slots, and what is embedded beside it.

    Args:
        parts: of the engine.
    """

    def __init__(self, parts: EngineParts) -> None:
        self._parts = parts
        self._info = parts.model.info
        self._compute = parts.model.compute
        self._slots = parts.slots
        self._memory = parts.memory
        self._embedding = parts.embedding
        self._budget = parts.budget
        self._totals = parts.totals
        self._endings = parts.endings
        self._clock = parts.clock
        self._speculation = Speculation(parts.model.info, parts.model.memory, parts.config)
        self._choice = TokenChoice(parts)

    def begin_known(self) -> None:
        """Give a first token to every sequence whose prompt is all cached, and the logits behind it known."""
        for slot in self._slots:
            sequence = slot.sequence
            if sequence is None or sequence.known_logits is None:
                continue
            try:
                self._choice.begin_known(slot, sequence)
            except Exception as error:
                self._endings.fail_by_fault(slot, sequence, error)

    def do(self) -> None:
        """Evaluate the next tokens of all sequences, within the step's time."""
        batch = self._run(self._plan())
        if batch is not None:
            self._apply(batch)

    # Plan -----------------------------------------------------------------------------------------------------------

    def _plan(self) -> _Plan:
        """Divide the step's time: first states that embeddings wait for, then tokens of prompts."""
        shape, budget, states = _NO_PROMPTS, 0, []
        if self._embedding.has_work or any(slot.prompt_remaining for slot in self._slots):
            shape = self._shape()
            budget = self._budget.tokens(shape)
        if self._embedding.has_work:
            states = self._embedding.due(budget)
            budget -= _count(states)
        return _Plan(shape, states, budget, self._plan_tokens(shape, budget))

    def _plan_again(self, budget: int) -> _Plan:
        """The same within the same time, after some sequences had to go."""
        shape = self._shape()
        return _Plan(shape, [], budget, self._plan_tokens(shape, budget))

    def _shape(self) -> StepShape:
        """What a step of all that runs now is like."""
        contexts = [len(slot.items) for slot in self._slots if slot.prompt_remaining]
        n_decode = sum(slot.is_decoding for slot in self._slots)
        is_scored = any(slot.prompt_remaining and slot.sequence.is_scored for slot in self._slots if slot.sequence)
        return StepShape(n_decode, sum(contexts) // len(contexts) if contexts else 0, is_scored)

    def _plan_tokens(self, shape: StepShape, budget: int) -> StepPlan:
        slots = [slot for slot in self._slots if slot.is_decoding]
        decoding = [slot.id for slot in slots]
        prefilling = self._prompts()
        if self._embedding.has_work and (n_tokens := self._embedding.n_prefill):
            prefilling.append(PrefillWork(EMBEDDINGS, n_tokens))
        if not prefilling:
            return StepPlan(tuple(decoding), (), self._speculation.drafts(slots))
        n_batch = min(self._info.n_batch, max(self._parts.config.n_batch, len(decoding) + 1))
        min_remainder = self._budget.min_remainder(shape)
        return plan_step(decoding, prefilling, n_batch=n_batch, budget=budget, min_remainder=min_remainder)

    def _prompts(self) -> list[PrefillWork]:
        """What is left of the prompts in slots, in order of admission."""
        works = []
        # Each slot can have a row of logits at any time; what is left is for prompts that want one for every token.
        n_spare = self._info.n_logits - len(self._slots)
        for slot in sorted((slot for slot in self._slots if slot.prompt_remaining), key=_started_s):
            remaining = slot.prompt_remaining if slot.room is None else min(slot.prompt_remaining, slot.room)
            limit = None
            if slot.sequence is not None and slot.sequence.is_scored:
                limit = min(remaining, 1 + n_spare)
                n_spare -= limit - 1
            works.append(PrefillWork(slot.id, remaining, limit))
        return works

    # Run ------------------------------------------------------------------------------------------------------------

    def _run(self, plan: _Plan) -> _Batch | None:
        """Evaluate a plan; None if there is nothing left to evaluate, or if it failed.

        Without room, idle caches go first, then what can be evaluated anew, then sequences are preempted one by one.
        """
        if plan.states and not self._embed(plan.states):
            plan = self._plan_again(plan.budget)
        while plan.tokens.decode or plan.tokens.prefill:
            try:
                return self._decode(plan)
            except CacheFull:
                self._preempt_for_space()
                plan = self._plan_again(plan.budget)
        return None

    def _embed(self, states: list[Segment]) -> bool:
        """Evaluate tokens for their states; return whether the other part of the plan still holds."""
        n_tokens, n_prefill = _count(states), self._embedding.n_prefill
        if self._memory.make_room(n_tokens):
            started_s = self._clock()
            try:
                rows = self._compute.hidden(states)
            except CacheFull:
                pass
            except DecodeFailed as error:
                self._endings.fail_batch([segment.seq_id for segment in states], error)
                return False
            else:
                self._totals.add_evaluated(n_tokens, self._clock() - started_s)
                self._embedding.finish(states, rows)
                return self._embedding.n_prefill == n_prefill
        self._preempt_for_space()
        return False

    def _decode(self, plan: _Plan) -> _Batch | None:
        """Evaluate the tokens of a plan; None if that failed, and their sequences with it.

        Raises:
            CacheFull: there is no room for them.
        """
        tokens = plan.tokens
        segments = self._segments(tokens)
        if not self._memory.make_room(tokens.n_tokens):
            raise CacheFull
        n_filler = self._budget.filler(tokens.n_prefill, plan.shape) if tokens.prefill else 0
        if tokens.n_tokens + n_filler > min(self._parts.model.memory.cells_free, self._info.n_batch):
            n_filler = 0
        started_s = self._clock()
        try:
            self._compute.decode(segments, n_filler)
        except DecodeFailed as error:
            self._endings.fail_batch([segment.seq_id for segment in segments], error)
            return None
        self._totals.add_evaluated(tokens.n_tokens, self._clock() - started_s)
        return _Batch(plan, segments, n_filler, started_s)

    def _segments(self, plan: StepPlan) -> list[Segment]:
        segments = []
        for slot_id in plan.decode:
            slot = self._slots[slot_id]
            assert slot.sequence is not None
            assert slot.sequence.pending is not None
            tokens = (slot.sequence.pending, *plan.drafts.get(slot_id, ()))
            segments.append(Segment(slot_id, slot.next_position, tokens, len(tokens)))
        for slot_id, share in plan.prefill:
            if slot_id == EMBEDDINGS:
                segments += self._embedding.prefill(share)
                continue
            slot = self._slots[slot_id]
            assert slot.sequence is not None
            start = len(slot.items)
            is_last = share == slot.prompt_remaining and slot.sequence.max_tokens != 0
            chunk = slot.sequence.prompt[start : start + share]
            n_logits = share if slot.sequence.is_scored else int(is_last)
            segments.append(Segment(slot_id, slot.next_position, chunk, n_logits))
        return segments

    def _preempt_for_space(self) -> None:
        """Free cells if there are too few: inputs to embed go first, then sequences, one by one; the last one fails."""
        slot = self._parts.preemption.victim()
        if slot is not None:
            if self._embedding.restart():
                return
            n_running = sum(not slot.is_idle for slot in self._slots)
            if n_running > 1 and self._parts.preemption.preempt(slot):
                return
        error = CacheExhausted(
            f"the KV cache has {self._info.n_cells} cells and they are all in use; "
            "send a shorter prompt, or start the server with a larger context",
            metadata={KV_CELLS_TOTAL: str(self._info.n_cells)},
            retry_after_s=1.0,
        )
        if slot is None:
            self._embedding.fail_all(error)
            return
        assert slot.sequence is not None
        self._endings.fail(slot.sequence.task, error)
        self._memory.drop(slot)

    # Apply ----------------------------------------------------------------------------------------------------------

    def _apply(self, batch: _Batch) -> None:
        """Make use of what was evaluated: scores of prompts, how long it took, the next tokens."""
        self._score(batch.segments)
        self._learn(batch, self._clock() - batch.started_s)
        started_s = self._clock()
        self._advance(batch.segments)
        self._speculation.settle()
        self._totals.sampling_s += self._clock() - started_s

    def _score(self, segments: list[Segment]) -> None:
        """Send the log-probabilities of prompts, before a sampler changes the logits."""
        for index, segment in enumerate(segments):
            sequence = None if self._embedding.owns(segment.seq_id) else self._slots[segment.seq_id].sequence
            if sequence is None or sequence.life.state is not SequenceState.PREFILL or not sequence.is_scored:
                continue
            task = sequence.task
            try:
                records = score(self._parts.model, self._slots[segment.seq_id], sequence, index, segment)
            except UnusableScore as error:
                self._endings.fail(task, EngineFailure(f"the prompt has no log-probabilities: {error}"))
            except Exception as error:
                self._endings.fail(task, unforeseen(task.id, error))
            else:
                if records is not None:
                    self._parts.outbox.put(task.id, task.sink, records)

    def _learn(self, batch: _Batch, step_s: float) -> None:
        """Note what the step's tokens cost."""
        tokens = batch.plan.tokens
        self._totals.drafted_tokens += tokens.n_decode - len(tokens.decode)
        if tokens.prefill:
            self._budget.observe(tokens.n_prefill, batch.plan.shape, step_s, batch.n_filler)
        else:
            self._speculation.observe(tokens.n_decode, step_s)

    def _advance(self, segments: list[Segment]) -> None:
        """Record what was evaluated, then choose the next tokens where logits are due."""
        now_s = self._clock()
        turns = []
        n_rows = 0
        for segment in segments:
            first_row, n_rows = n_rows, n_rows + segment.n_logits
            if self._embedding.owns(segment.seq_id):
                self._embedding.advance(segment)
                continue
            slot = self._slots[segment.seq_id]
            self._memory.append(slot, segment.tokens)
            sequence = slot.sequence
            if sequence is not None and not slot.prompt_remaining:
                turns.append(Turn(slot, sequence, segment, first_row))
        if turns:
            self._choice.go_on(turns, now_s)


def _count(segments: list[Segment]) -> int:
    return sum(len(segment.tokens) for segment in segments)


def _started_s(slot: Slot) -> float:
    return slot.sequence.started_s if slot.sequence is not None else 0.0
