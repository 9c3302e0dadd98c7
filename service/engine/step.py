"""The sequences that run: one step of them, and their endings."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from service.engine.language_model import CacheFull, DecodeFailed, Logits, Segment
from service.engine.output.output import Ending, append_token, finished, flush
from service.engine.output.scoring import UnusableScore, score
from service.engine.request.events import Event, Failed, FinishReason
from service.engine.request.requests import Overflow
from service.engine.request.snapshots import Outcome
from service.engine.request.state import SequenceState
from service.engine.request.task import Task, unforeseen
from service.engine.schedule.plan import EMBEDDINGS, PrefillWork, StepPlan, plan_step
from service.engine.schedule.prefill_budget import PrefillBudget, StepShape
from service.engine.schedule.speculation import Speculation
from service.errors import CacheExhausted, EngineFailure, ServiceError
from service.sampling.sampler import UnusableLogits
from slotline.protocol.reasons import KV_CELLS_TOTAL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.config import EngineConfig
    from service.engine.cache.slot_memory import SlotMemory
    from service.engine.cache.slots import Slot
    from service.engine.language_model import CausalModel
    from service.engine.output.outbox import Outbox
    from service.engine.request.sequence import RunningSequence, SequenceLife
    from service.engine.request.waiting import WaitingSequences
    from service.engine.schedule.embedding import EmbeddingWork
    from service.engine.schedule.preemption import Preemption
    from service.engine.statistics.totals import Totals

logger = logging.getLogger(__name__)

_NO_PROMPTS = StepShape()


class RunningSequences:
    """Evaluates what runs in slots, and what is embedded beside it.

    Args:
        model: the model.
        config: slots and limits.
        slots: the slots; ``Admission`` puts sequences there.
        memory: what they hold.
        waiting: the queue, from which a task that ends is removed.
        preemption: moves sequences out of the way if cells run out.
        embedding: the inputs that are embedded.
        budget: time for prompts.
        outbox: takes events.
        totals: what is counted.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        model: CausalModel,
        config: EngineConfig,
        slots: Sequence[Slot],
        memory: SlotMemory,
        waiting: WaitingSequences,
        preemption: Preemption,
        embedding: EmbeddingWork,
        budget: PrefillBudget,
        outbox: Outbox,
        totals: Totals,
        clock: Callable[[], float],
    ) -> None:
        self._model = model
        self._info = model.info
        self._compute = model.compute
        self._vocabulary = model.vocabulary
        self._config = config
        self._slots = slots
        self._memory = memory
        self._waiting = waiting
        self._preemption = preemption
        self._embedding = embedding
        self._budget = budget
        self._outbox = outbox
        self._clock = clock
        self._speculation = Speculation(model.info, model.memory, config)
        self.totals = totals

    # A step ---------------------------------------------------------------------------------------------------------

    def make_room_in_contexts(self) -> None:
        """Shift, or end, every sequence whose slot is full; regroup the positions of full windows."""
        for slot in self._slots:
            sequence = slot.sequence
            if sequence is None:
                continue
            try:
                if slot.room == 0:
                    self._memory.regroup(slot)
                if slot.is_decoding and len(slot.tokens) + 1 >= self._config.n_ctx_slot:
                    self._make_room_in_context(slot, sequence)
            except Exception as error:
                self._fail_by_fault(slot, sequence, error)

    def _make_room_in_context(self, slot: Slot, sequence: RunningSequence) -> None:
        sequence.truncated = True
        discarded = 0
        if sequence.request.overflow is Overflow.TRUNCATE and sequence.grouping is None:
            has_bos = sequence.prompt[sequence.n_system] == self._info.bos_token
            n_keep = sequence.n_system + sequence.n_keep + has_bos
            try:
                discarded = self._memory.shift(slot, self._config.n_ctx_slot, n_keep)
            except DecodeFailed as error:
                self._fail_sequences([slot.id], error)
                return
        if discarded:
            fields = {"slot_id": slot.id, "task_id": sequence.task.id, "n_discard": discarded}
            logger.info("slot context shift", extra=fields)
        else:
            self.finish(slot, Ending(FinishReason.LENGTH))

    def evaluate(self) -> None:
        """Evaluate a plan, and the states that embeddings wait for. Together they keep the step's time."""
        has_prompts = self._embedding.has_work or any(slot.prompt_remaining for slot in self._slots)
        budget = self._budget.tokens(self._shape()) if has_prompts else 0
        if self._embedding.has_work:
            due = self._embedding.due(budget)
            if due:
                self._embed(due)
                budget -= sum(len(segment.tokens) for segment in due)
        segments = self._decode(budget)
        started_s = self._clock()
        self._advance(segments)
        self.totals.sampling_s += self._clock() - started_s

    def _shape(self) -> StepShape:
        """What prompt tokens meet in a step of all that runs now."""
        contexts = [len(slot.tokens) for slot in self._slots if slot.prompt_remaining]
        n_decode = sum(slot.is_decoding for slot in self._slots)
        is_scored = any(slot.prompt_remaining and slot.sequence.is_scored for slot in self._slots if slot.sequence)
        return StepShape(n_decode, sum(contexts) // len(contexts) if contexts else 0, is_scored)

    def _plan(self, budget: int) -> StepPlan:
        slots = [slot for slot in self._slots if slot.is_decoding]
        decoding = [slot.id for slot in slots]
        prefilling = self._prompts()
        if self._embedding.has_work and (n_tokens := self._embedding.n_prefill):
            prefilling.append(PrefillWork(EMBEDDINGS, n_tokens))
        if not prefilling:
            return StepPlan(tuple(decoding), (), self._speculation.drafts(slots))
        n_batch = min(self._info.n_batch, max(self._config.n_batch, len(decoding) + 1))
        min_remainder = self._budget.min_remainder(self._shape())
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

    def _decode(self, budget: int) -> list[Segment]:
        """Evaluate a plan with so many prompt tokens.

        Without room, idle caches go first, then what can be evaluated anew, then sequences are preempted one by one.
        """
        plan = self._plan(budget)
        while plan.decode or plan.prefill:
            segments = self._segments(plan)
            shape = self._shape() if plan.prefill else _NO_PROMPTS
            n_tokens = plan.n_prefill + plan.n_decode
            if self._memory.make_room(n_tokens):
                n_filler = self._budget.filler(plan.n_prefill, shape) if plan.prefill else 0
                if n_tokens + n_filler > min(self._model.memory.cells_free, self._info.n_batch):
                    n_filler = 0
                started_s = self._clock()
                try:
                    self._compute.decode(segments, n_filler)
                except CacheFull:
                    pass
                except DecodeFailed as error:
                    self._fail_sequences([segment.seq_id for segment in segments], error)
                    return []
                else:
                    self.totals.add_evaluated(n_tokens, self._clock() - started_s)
                    self._score(segments)
                    self._observe(plan, shape, n_filler, self._clock() - started_s)
                    return segments
            self._preempt_for_space()
            plan = self._plan(budget)
        return []

    def _observe(self, plan: StepPlan, shape: StepShape, n_filler: int, step_s: float) -> None:
        self.totals.drafted_tokens += plan.n_decode - len(plan.decode)
        if plan.prefill:
            self._budget.observe(plan.n_prefill, shape, step_s, n_filler)
        else:
            self._speculation.observe(plan.n_decode, step_s)

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
            start = len(slot.tokens)
            is_last = share == slot.prompt_remaining and slot.sequence.max_tokens != 0
            chunk = slot.sequence.prompt[start : start + share]
            n_logits = share if slot.sequence.is_scored else int(is_last)
            segments.append(Segment(slot_id, slot.next_position, chunk, n_logits))
        return segments

    def _preempt_for_space(self) -> None:
        """Free cells, because none are left for all: embeddings can wait, then sequences; a last one alone fails."""
        slot = self._preemption.victim()
        if slot is not None:
            if self._embedding.restart():
                return
            n_running = sum(not slot.is_idle for slot in self._slots)
            if n_running > 1 and self._preemption.preempt(slot):
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
        self.fail(slot.sequence.task, error)
        self._memory.drop(slot)

    def _fail_sequences(self, seq_ids: list[int], error: DecodeFailed) -> None:
        """A failed call leaves its sequences in an unknown state: end them, keep everybody else."""
        logger.error("decode failed", extra={"error": str(error)})
        failure = EngineFailure("the model could not evaluate this request")
        for slot in [self._slots[seq_id] for seq_id in seq_ids if seq_id < len(self._slots)]:
            if slot.sequence is not None:
                self.fail(slot.sequence.task, failure)
            self._memory.drop(slot)
        self._embedding.fail_sequences(seq_ids, failure)

    def _score(self, segments: list[Segment]) -> None:
        """Put out what was just evaluated tells about prompts, before a sampler changes the rows."""
        for index, segment in enumerate(segments):
            sequence = None if self._embedding.owns(segment.seq_id) else self._slots[segment.seq_id].sequence
            if sequence is None or sequence.life.state is not SequenceState.PREFILL or not sequence.is_scored:
                continue
            try:
                records = score(self._model, self._slots[segment.seq_id], sequence, index, segment)
            except UnusableScore as error:
                self.fail(sequence.task, EngineFailure(f"the prompt has no log-probabilities: {error}"))
            except Exception as error:
                self.fail(sequence.task, unforeseen(sequence.task.id, error))
            else:
                if records is not None:
                    self.emit(sequence.task, records)

    def _advance(self, segments: list[Segment]) -> None:
        """Record what was evaluated, then sample where logits are due."""
        now_s = self._clock()
        for index, segment in enumerate(segments):
            if self._embedding.owns(segment.seq_id):
                self._embedding.advance(segment)
                continue
            slot = self._slots[segment.seq_id]
            self._memory.append(slot, segment.tokens)
            sequence = slot.sequence
            if sequence is None or slot.prompt_remaining:
                continue
            try:
                first = 0
                if sequence.life.state is SequenceState.PREFILL:
                    self._end_prompt(slot, sequence)
                    # Of a prompt only the last token tells what follows.
                    first = segment.n_logits - 1
                if slot.sequence is sequence:
                    self._choose(slot, sequence, index, segment, first, now_s)
            except Exception as error:
                self._fail_by_fault(slot, sequence, error)

    def _end_prompt(self, slot: Slot, sequence: RunningSequence) -> None:
        """Begin to generate behind a prompt that is evaluated, or finish if that was all."""
        if sequence.index == 0:
            self._waiting.end_sharing(sequence.task)
        if sequence.max_tokens == 0:
            self.finish(slot, Ending(FinishReason.LENGTH))
        else:
            sequence.life.move(SequenceState.DECODING)

    def _choose(
        self, slot: Slot, sequence: RunningSequence, index: int, segment: Segment, first: int, now_s: float
    ) -> None:
        """Choose a token behind each token of segment ``index`` that is known to be right, and take back the others.

        The first of those tokens is number ``first`` among the ones with logits.
        """
        for position in range(first, segment.n_logits):
            n_untried = segment.n_logits - 1 - position
            try:
                ending = self._sample(sequence, self._compute.logits(index, position), now_s)
            except UnusableLogits as error:
                self.fail(sequence.task, EngineFailure(f"no token could be chosen: {error}"))
                return
            is_right = n_untried and sequence.pending == segment.tokens[-n_untried]
            if ending is not None or not is_right:
                if n_untried:
                    self._memory.cut(slot, len(slot.tokens) - n_untried)
                self.totals.accepted_tokens += position - first
                break
        if ending is not None:
            self.finish(slot, ending)

    def _sample(self, sequence: RunningSequence, logits: Logits, now_s: float) -> Ending | None:
        """Sample a token from logits that were evaluated at ``now_s``, and put it out.

        Raises:
            UnusableLogits: no token can be chosen.
        """
        sampled = sequence.sampler.sample(logits, ban_eog=sequence.sampled < sequence.request.min_tokens)
        sequence.sampler.accept(sampled.id)
        sequence.sampled += 1
        sequence.pending = sampled.id
        if sequence.drafter is not None:
            sequence.drafter.push(sampled.id)
        if sequence.first_token_s is None:
            sequence.first_token_s = self._clock()
            self.totals.add_prompt(sequence, sequence.first_token_s)
        if sequence.evaluated_s is not None:
            self.totals.add_token(now_s - sequence.evaluated_s)
        sequence.evaluated_s = now_s
        is_eos = sampled.id in self._info.eog_tokens
        token_bytes = b"" if is_eos else self._vocabulary.token_bytes(sampled.id)
        output, ending = append_token(sequence, sampled, token_bytes, is_eos=is_eos)
        if output is not None:
            self.emit(sequence.task, output)
        return ending

    def _embed(self, due: list[Segment]) -> None:
        """Evaluate tokens for their states."""
        n_tokens = sum(len(segment.tokens) for segment in due)
        if self._memory.make_room(n_tokens):
            started_s = self._clock()
            try:
                rows = self._compute.hidden(due)
            except CacheFull:
                pass
            except DecodeFailed as error:
                self._fail_sequences([segment.seq_id for segment in due], error)
                return
            else:
                self.totals.add_evaluated(n_tokens, self._clock() - started_s)
                self._embedding.finish(due, rows)
                return
        self._preempt_for_space()

    # Endings --------------------------------------------------------------------------------------------------------

    def finish(self, slot: Slot, ending: Ending) -> None:
        """End a sequence by itself."""
        sequence = slot.sequence
        assert sequence is not None
        rest = flush(sequence)
        if rest is not None:
            self.emit(sequence.task, rest)
        event = finished(slot, sequence, ending, self._clock())
        self.emit(sequence.task, event)
        slot.release(self._clock(), event)
        _end(sequence.life, Outcome(ending.reason.value))

    def fail(self, task: Task, error: ServiceError) -> None:
        """End all sequences of a task with an error."""
        self.emit(task, Failed(error))
        self._close(task, Outcome.FAILED)

    def _fail_by_fault(self, slot: Slot, sequence: RunningSequence, error: Exception) -> None:
        """End what runs in a slot over an error that nobody foresaw; whatever the slot holds then is of no use."""
        self.fail(sequence.task, unforeseen(sequence.task.id, error))
        self._memory.drop(slot)

    def cancel(self, task: Task) -> None:
        """End all sequences of a task without further events."""
        self._close(task, Outcome.CANCELLED)

    def _close(self, task: Task, outcome: Outcome) -> None:
        """Free what a task has."""
        lives = self._waiting.remove(task)
        for slot in self._slots:
            if slot.sequence is not None and slot.sequence.task is task:
                lives.append(slot.sequence.life)
                slot.release(self._clock())
        for life in lives:
            _end(life, outcome)

    def find(self, task_id: int) -> Task | None:
        for slot in self._slots:
            if slot.sequence is not None and slot.sequence.task.id == task_id:
                return slot.sequence.task
        return self._waiting.find(task_id)

    def emit(self, task: Task, event: Event) -> None:
        self._outbox.put(task.id, task.sink, event)


def _end(life: SequenceLife, outcome: Outcome) -> None:
    running = life.running
    life.finish(outcome)
    if running is not None and running.grammar is not None:
        running.grammar.close()


def _started_s(slot: Slot) -> float:
    return slot.sequence.started_s if slot.sequence is not None else 0.0
