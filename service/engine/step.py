"""One step of all that runs: plan, run, apply.

A step is at most one call with tokens and one with rows of media, which no call of the model can mix. Prompts get what
time there is in one of the two: in turn, if some wait for tokens and some for rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.engine.cache.slots import started_s
from service.engine.language_model import CacheFull, DecodeFailed, Interrupted, Segment
from service.engine.media_step import MediaStep
from service.engine.output.choice import TokenChoice, Turn
from service.engine.output.progress import tell_progress
from service.engine.output.scoring import UnusableScore, score
from service.engine.request.items import tokens_of
from service.engine.request.state import SequenceState
from service.engine.request.task import unforeseen
from service.engine.schedule.plan import EMBEDDINGS, PrefillWork, StepPlan, plan_step
from service.engine.schedule.prefill_budget import StepShape
from service.engine.schedule.shortage import CellShortage
from service.engine.schedule.speculation import Speculation
from service.errors import EngineFailure

if TYPE_CHECKING:
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
        is_long: whether they may take longer than usual, and be ended early.
    """

    shape: StepShape
    states: list[Segment]
    budget: int
    tokens: StepPlan
    is_long: bool = False


@dataclass(frozen=True, slots=True)
class _Batch:
    """What a step evaluated, with ``n_filler`` tokens more, in a call that began at ``began_s``."""

    plan: _Plan
    segments: list[Segment]
    n_filler: int
    began_s: float


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
        self._long_steps = parts.long_steps
        self._totals = parts.totals
        self._endings = parts.endings
        self._clock = parts.clock
        self._speculation = Speculation(parts)
        self._choice = TokenChoice(parts)
        self._shortage = CellShortage(parts)
        self._media = MediaStep(parts, self._choice, self._shortage)
        self._turns = parts.turns
        #: Who is in this step.
        self._party = parts.turns.everybody

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
        """Evaluate the next tokens of all sequences, or of those whose turn it is, within the step's time."""
        turns = self._turns
        party = self._party = turns.next() if turns.is_needed else turns.everybody
        if party.scales is not turns.in_force:
            turns.use(party.scales)
        plan = self._plan()
        batch = self._run(plan)
        if batch is not None:
            self._apply(batch)
        if party.is_for_media:
            self._media.do(party, plan.shape, 0.0 if batch is None else self._clock() - batch.began_s)

    # Plan -----------------------------------------------------------------------------------------------------------

    def _plan(self) -> _Plan:
        """Divide the step's time: first states that embeddings wait for, then tokens of prompts."""
        shape, budget, states = _NO_PROMPTS, 0, []
        longer_s = None
        party = self._party
        was_for_media, party.is_for_media = party.is_for_media, False
        has_inputs = party.embeds and self._embedding.has_work
        if has_inputs or any(slot.prompt_remaining for slot in party.slots):
            shape = self._shape()
            party.is_for_media = self._media.has_work(party) and not (was_for_media and self._has_tokens())
            longer_s = self._long_steps.allowed_s() if self._is_for_one_prompt(shape) else None
            budget = self._budget.tokens(shape, longer_s=longer_s)
        if has_inputs and not party.is_for_media:
            states = self._embedding.due(budget)
            budget -= _count(states)
        return _Plan(shape, states, budget, self._plan_tokens(shape, budget), is_long=longer_s is not None)

    def _is_for_one_prompt(self, shape: StepShape) -> bool:
        """Whether tokens of a single prompt are all that there is to evaluate."""
        party = self._party
        has_others = shape.is_busy or party.has_company or (party.embeds and self._embedding.has_work)
        return not (has_others or party.is_for_media) and len(self._prompts()) == 1

    def _has_tokens(self) -> bool:
        """Whether any prompt, or input to embed, waits for tokens."""
        return (self._party.embeds and self._embedding.has_tokens) or bool(self._prompts())

    def _plan_again(self, plan: _Plan) -> _Plan:
        """The same within the same time, after some sequences had to go."""
        shape = self._shape()
        return _Plan(shape, [], plan.budget, self._plan_tokens(shape, plan.budget), plan.is_long)

    def _shape(self) -> StepShape:
        """What a step of all that runs now is like."""
        slots = self._party.slots
        contexts = [len(slot.items) for slot in slots if slot.prompt_remaining]
        n_decode = sum(slot.is_decoding for slot in slots)
        is_scored = any(slot.prompt_remaining and slot.sequence.is_scored for slot in slots if slot.sequence)
        context = sum(contexts) // len(contexts) if contexts else 0
        return StepShape(n_decode, context, is_scored, is_awaited=self._party.is_awaited)

    def _plan_tokens(self, shape: StepShape, budget: int) -> StepPlan:
        party = self._party
        slots = [slot for slot in party.slots if slot.is_decoding]
        decoding = [slot.id for slot in slots]
        if party.is_for_media:
            return StepPlan(tuple(decoding), ())
        prefilling = self._prompts()
        if party.embeds and self._embedding.has_work and (n_tokens := self._embedding.n_prefill):
            prefilling.append(PrefillWork(EMBEDDINGS, n_tokens))
        if not prefilling:
            return StepPlan(tuple(decoding), (), self._speculation.drafts(slots))
        n_batch = min(self._info.n_batch, max(self._parts.config.n_batch, len(decoding) + 1))
        min_remainder = self._budget.min_remainder(shape)
        return plan_step(decoding, prefilling, n_batch=n_batch, budget=budget, min_remainder=min_remainder)

    def _prompts(self) -> list[PrefillWork]:
        """What is left of the prompts in slots that go on with tokens, in order of admission."""
        works = []
        # Each slot can have a row of logits at any time; what is left is for prompts that want one for every token.
        n_spare = self._info.n_logits - len(self._slots)
        for slot in sorted((slot for slot in self._party.slots if slot.prompt_remaining), key=started_s):
            remaining = slot.prompt_remaining if slot.room is None else min(slot.prompt_remaining, slot.room)
            limit = None
            assert slot.sequence is not None
            if slot.sequence.media is not None:
                limit = slot.sequence.media.n_tokens_at(len(slot.items))
                if not limit:
                    continue
            elif slot.sequence.is_scored:
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
            plan = self._plan_again(plan)
        while plan.tokens.decode or plan.tokens.prefill:
            try:
                return self._decode(plan)
            except CacheFull:
                self._shortage.relieve()
                plan = self._plan_again(plan)
        return None

    def _embed(self, states: list[Segment]) -> bool:
        """Evaluate tokens for their states; return whether the other part of the plan still holds."""
        n_tokens, n_prefill = _count(states), self._embedding.n_prefill
        if self._memory.make_room(n_tokens):
            began_s = self._clock()
            try:
                rows = self._compute.hidden(states)
            except CacheFull:
                pass
            except DecodeFailed as error:
                self._endings.fail_batch([segment.seq_id for segment in states], error)
                return False
            else:
                call_s = self._clock() - began_s
                self._totals.add_evaluated(n_tokens, call_s, len(states))
                self._totals.add_prefill(n_tokens, call_s)
                self._totals.embedded_tokens += n_tokens
                self._embedding.finish(states, rows)
                return self._embedding.n_prefill == n_prefill
        self._shortage.relieve()
        return False

    def _decode(self, plan: _Plan) -> _Batch | None:
        """Evaluate the tokens of a plan; None if that failed, and their sequences with it, or was ended early.

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
        began_s = self._clock()
        try:
            if plan.is_long:
                with self._long_steps.step(self._budget.expected_s(tokens.n_prefill, plan.shape)):
                    self._compute.decode(segments, n_filler)
            else:
                self._compute.decode(segments, n_filler)
        except Interrupted:
            self._totals.interrupted_steps += 1
            return None
        except DecodeFailed as error:
            self._endings.fail_batch([segment.seq_id for segment in segments], error)
            return None
        self._totals.add_evaluated(tokens.n_tokens, self._clock() - began_s, len(segments))
        return _Batch(plan, segments, n_filler, began_s)

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
            chunk = tokens_of(slot.sequence.prompt[start : start + share])
            n_logits = share if slot.sequence.is_scored else int(is_last)
            segments.append(Segment(slot_id, slot.next_position, chunk, n_logits))
        return segments

    # Apply ----------------------------------------------------------------------------------------------------------

    def _apply(self, batch: _Batch) -> None:
        """Make use of what was evaluated: scores of prompts, how long it took, the next tokens."""
        self._score(batch.segments)
        self._learn(batch, self._clock() - batch.began_s)
        began_s = self._clock()
        self._advance(batch.segments)
        self._speculation.settle()
        self._totals.sampling_s += self._clock() - began_s

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
        self._totals.drafts += len(tokens.drafts)
        if tokens.prefill:
            self._totals.embedded_tokens += sum(share for slot_id, share in tokens.prefill if slot_id == EMBEDDINGS)
            self._budget.observe(tokens.n_prefill, batch.plan.shape, step_s, batch.n_filler)
            self._totals.add_prefill(tokens.n_prefill, step_s)
        elif not self._party.is_for_media:
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
            if sequence is None:
                continue
            if sequence.request.want_progress:
                tell_progress(self._parts.outbox, slot, sequence, now_s)
            if not slot.prompt_remaining:
                turns.append(Turn(slot, sequence, first_row, segment.n_logits, segment.tokens))
        if turns:
            self._choice.go_on(turns, now_s)


def _count(segments: list[Segment]) -> int:
    return sum(len(segment.tokens) for segment in segments)
