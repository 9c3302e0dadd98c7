"""The engine's step: admit, plan, evaluate, sample, hand over. One call of ``step`` is one turn of the crank."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable

from service.config import EngineConfig
from service.engine.budget import PrefillBudget
from service.engine.context import resolve_n_keep, truncate_prompt
from service.engine.memory import SlotMemory
from service.engine.model import CacheFull, DecodeFailed, LanguageModel, Segment
from service.engine.output import Ending, finished, flush, put_out
from service.engine.scheduler import PrefillWork, StepPlan, plan_step
from service.engine.slots import Sequence, Slot, WaitingRequest
from service.engine.text import TextOutput
from service.engine.types import (
    Accepted,
    Counters,
    Delivery,
    EngineSnapshot,
    Event,
    Failed,
    Finished,
    FinishReason,
    GenerationRequest,
    Overflow,
    Sink,
)
from service.errors import (
    CacheExhausted,
    ContextLengthExceeded,
    Draining,
    EngineFailure,
    InvalidArgument,
    ServiceError,
)
from service.sampling.gbnf import GrammarError
from service.sampling.grammar import Grammar
from service.sampling.sampler import Sampler, UnusableLogits

logger = logging.getLogger(__name__)

#: A slot's cache is preferred to the least recently used slot only if it covers more than this part of the prompt.
MIN_SHARED_PART = 0.1


class Engine:
    """Runs requests on one model. Not thread-safe: ``EngineThread`` drives it.

    Invariant after every step: for each slot, ``slot.tokens`` is what the model's memory holds for its sequence, and
    the ledger counts as many cells.

    Args:
        model: the model; its sequence ids 0 to ``n_slots - 1`` belong to the engine.
        config: slots and limits.
        clock: seconds from any start, monotonic.
    """

    def __init__(self, model: LanguageModel, config: EngineConfig, clock: Callable[[], float]) -> None:
        self._model = model
        self._info = model.info
        self._config = config
        self._clock = clock
        self._slots = [Slot(slot_id) for slot_id in range(config.n_slots)]
        self._waiting: deque[WaitingRequest] = deque()
        self._memory = SlotMemory(model, self._slots)
        self._budget = PrefillBudget(
            busy_s=config.prefill_budget_ms / 1000, idle_s=config.idle_prefill_budget_ms / 1000
        )
        self._events: dict[int, tuple[Sink, list[Event]]] = {}
        self._prompt_tokens = 0
        self._prompt_s = 0.0
        self._predicted_tokens = 0
        self._predicted_s = 0.0
        self._finished = 0
        self._steps = 0

    # What callers see -----------------------------------------------------------------------------------------------

    @property
    def has_work(self) -> bool:
        """Whether another step would do anything."""
        return bool(self._waiting) or any(not slot.is_idle for slot in self._slots)

    @property
    def queue_depth(self) -> int:
        """Requests that wait for a slot."""
        return len(self._waiting)

    def submit(self, task_id: int, request: GenerationRequest, sink: Sink) -> None:
        """Queue a request; it is looked at in the next step."""
        self._waiting.append(WaitingRequest(task_id, request, sink, self._clock()))

    def cancel(self, task_id: int) -> None:
        """End a request without further events; unknown ids are ignored, for the request may have ended."""
        for slot in self._slots:
            if slot.sequence is not None and slot.sequence.task_id == task_id:
                self._release(slot, None)
                return
        self._waiting = deque(waiting for waiting in self._waiting if waiting.task_id != task_id)

    def stop(self) -> list[Delivery]:
        """End all requests: running ones finish as cancelled, waiting ones are refused."""
        for slot in self._slots:
            if slot.sequence is not None:
                self._finish(slot, Ending(FinishReason.CANCELLED))
        return self.fail_all(Draining())

    def fail_all(self, error: ServiceError) -> list[Delivery]:
        """Fail every request that has not ended."""
        for slot in self._slots:
            if slot.sequence is not None:
                self._fail(slot, error)
        while self._waiting:
            self._refuse(self._waiting.popleft(), error)
        return self._take_events()

    def snapshot(self) -> EngineSnapshot:
        """The engine as it is now."""
        return EngineSnapshot(
            slots=tuple(slot.snapshot() for slot in self._slots),
            queue_depth=len(self._waiting),
            kv_cells_used=self._memory.cells_used,
            kv_cells_total=self._info.n_cells,
            counters=Counters(
                prompt_tokens=self._prompt_tokens,
                prompt_s=self._prompt_s,
                predicted_tokens=self._predicted_tokens,
                predicted_s=self._predicted_s,
                finished=self._finished,
                steps=self._steps,
            ),
        )

    def step(self) -> list[Delivery]:
        """Do one step and return its events, in order per request."""
        self._admit()
        self._make_room_in_contexts()
        plan = self._plan()
        segments, plan = self._decode(plan)
        if segments:
            self._advance(plan, segments)
        self._steps += 1
        return self._take_events()

    # Admission ------------------------------------------------------------------------------------------------------

    def _admit(self) -> None:
        while self._waiting and any(slot.is_idle for slot in self._slots):
            waiting = self._waiting.popleft()
            try:
                self._start(waiting)
            except ServiceError as error:
                self._refuse(waiting, error)

    def _start(self, waiting: WaitingRequest) -> None:
        request = waiting.request
        n_ctx = self._config.n_ctx_slot
        n_prompt = len(request.prompt)
        if n_prompt >= n_ctx and request.overflow is Overflow.REFUSE:
            raise ContextLengthExceeded(n_prompt, n_ctx)
        n_keep = resolve_n_keep(request.n_keep, n_prompt, n_ctx)
        prompt = truncate_prompt(request.prompt, n_ctx, n_keep)
        slot = self._choose_slot(request, prompt)
        now_s = self._clock()
        grammar = self._grammar(request)
        sampler = Sampler(
            request.sampling,
            n_vocab=self._info.n_vocab,
            nl_token=self._info.nl_token,
            eog_tokens=self._info.eog_tokens,
            n_ctx=n_ctx,
            prompt=prompt,
            grammar=grammar,
        )
        cached = self._memory.cut(slot, slot.reusable_prefix(prompt) if request.cache_prompt else 0)
        slot.sequence = Sequence(
            task_id=waiting.task_id,
            request=request,
            sink=waiting.sink,
            prompt=prompt,
            n_keep=n_keep,
            cached=cached,
            truncated=len(prompt) < n_prompt,
            sampler=sampler,
            grammar=grammar,
            text=TextOutput(request.stop_texts, include_match=request.include_match),
            max_tokens=self._resolve_max_tokens(request),
            started_s=now_s,
        )
        queued_s = now_s - waiting.arrived_s
        self._emit(slot.sequence, Accepted(slot.id, len(prompt), cached, queued_s, len(prompt) < n_prompt))

    def _choose_slot(self, request: GenerationRequest, prompt: tuple[int, ...]) -> Slot:
        """The asked-for slot if it is idle, else the one with the best cache, else the least recently used one."""
        idle = [slot for slot in self._slots if slot.is_idle]
        for slot in idle:
            if slot.id == request.slot_id:
                return slot
        if request.cache_prompt:
            best = max(idle, key=lambda slot: slot.reusable_prefix(prompt))
            if best.reusable_prefix(prompt) > MIN_SHARED_PART * len(prompt):
                return best
        return min(idle, key=lambda slot: (slot.last_used_s, slot.id))

    def _grammar(self, request: GenerationRequest) -> Grammar | None:
        if not request.grammar:
            return None
        try:
            return self._model.grammar(request.grammar)
        except GrammarError as error:
            raise InvalidArgument("constraint.gbnf", str(error)) from error

    def _resolve_max_tokens(self, request: GenerationRequest) -> int | None:
        """The smaller of the request's and the server's limit; without any, a guard against endless generation."""
        limits = [limit for limit in (request.max_tokens, self._config.max_tokens) if limit is not None]
        if limits:
            return min(limits)
        return self._info.n_ctx_train if request.overflow is Overflow.TRUNCATE else None

    def _make_room_in_contexts(self) -> None:
        """Shift, or end, every sequence whose slot is full."""
        for slot in self._slots:
            sequence = slot.sequence
            if sequence is None or sequence.pending is None or len(slot.tokens) + 1 < self._config.n_ctx_slot:
                continue
            sequence.truncated = True
            discarded = 0
            if sequence.request.overflow is Overflow.TRUNCATE:
                discarded = self._memory.shift(slot, self._config.n_ctx_slot, sequence.n_keep)
            if discarded:
                fields = {"slot_id": slot.id, "task_id": sequence.task_id, "n_discard": discarded}
                logger.info("slot context shift", extra=fields)
            else:
                self._finish(slot, Ending(FinishReason.LENGTH))

    # The step -------------------------------------------------------------------------------------------------------

    def _plan(self) -> StepPlan:
        decoding = [slot.id for slot in self._slots if slot.is_decoding]
        prefilling = [
            PrefillWork(slot.id, slot.prompt_remaining)
            for slot in sorted(self._slots, key=lambda slot: slot.sequence.started_s if slot.sequence else 0.0)
            if slot.prompt_remaining
        ]
        n_batch = min(self._info.n_batch, max(self._config.n_batch, len(decoding) + 1))
        return plan_step(decoding, prefilling, n_batch=n_batch, budget=self._budget.tokens(is_busy=bool(decoding)))

    def _decode(self, plan: StepPlan) -> tuple[list[Segment], StepPlan]:
        """Evaluate a plan. Without room, idle caches go first, then the youngest requests, one by one."""
        while plan.decode or plan.prefill:
            segments = self._segments(plan)
            n_tokens = len(plan.decode) + plan.n_prefill
            if self._memory.make_room(n_tokens):
                started_s = self._clock()
                try:
                    self._model.decode(segments)
                except CacheFull:
                    pass
                except DecodeFailed as error:
                    self._fail_segments(segments, error)
                    return [], plan
                else:
                    self._budget.observe(plan.n_prefill, len(plan.decode), self._clock() - started_s)
                    return segments, plan
            self._give_up_youngest()
            plan = self._plan()
        return [], plan

    def _segments(self, plan: StepPlan) -> list[Segment]:
        segments = []
        for slot_id in plan.decode:
            slot = self._slots[slot_id]
            assert slot.sequence is not None and slot.sequence.pending is not None
            segments.append(Segment(slot_id, len(slot.tokens), (slot.sequence.pending,), True))
        for slot_id, share in plan.prefill:
            slot = self._slots[slot_id]
            assert slot.sequence is not None
            start = len(slot.tokens)
            is_last = share == slot.prompt_remaining and slot.sequence.max_tokens != 0
            segments.append(Segment(slot_id, start, slot.sequence.prompt[start : start + share], is_last))
        return segments

    def _give_up_youngest(self) -> None:
        """End the request that started last, because no cells are left for all."""
        running = [slot for slot in self._slots if slot.sequence is not None]
        slot = max(running, key=lambda slot: slot.sequence.started_s if slot.sequence else 0.0)
        self._fail(
            slot,
            CacheExhausted(
                f"the KV cache has {self._info.n_cells} cells and they are all in use; "
                "send a shorter prompt, or start the server with a larger context",
                metadata={"kv_cells_total": str(self._info.n_cells)},
                retry_after_s=1.0,
            ),
        )
        self._memory.drop(slot)

    def _fail_segments(self, segments: list[Segment], error: DecodeFailed) -> None:
        """A failed call leaves its sequences in an unknown state: end them, keep everybody else."""
        logger.error("decode failed", extra={"error": str(error)})
        for segment in segments:
            slot = self._slots[segment.seq_id]
            self._fail(slot, EngineFailure("the model could not evaluate this request"))
            self._memory.drop(slot)

    def _advance(self, plan: StepPlan, segments: list[Segment]) -> None:
        """Record what was evaluated, then sample where logits are due."""
        for index, segment in enumerate(segments):
            slot = self._slots[segment.seq_id]
            self._memory.append(slot, segment.tokens)
            if segment.wants_logits:
                self._sample(slot, index)
            elif slot.sequence is not None and not slot.prompt_remaining:
                self._finish(slot, Ending(FinishReason.LENGTH))

    def _sample(self, slot: Slot, index: int) -> None:
        sequence = slot.sequence
        assert sequence is not None
        try:
            sampled = sequence.sampler.sample(
                self._model.logits(index), ban_eog=sequence.sampled < sequence.request.min_tokens
            )
        except UnusableLogits as error:
            self._fail(slot, EngineFailure(f"no token could be chosen: {error}"))
            return
        sequence.sampler.accept(sampled.id)
        sequence.sampled += 1
        sequence.pending = sampled.id
        if sequence.first_token_s is None:
            sequence.first_token_s = self._clock()
            self._prompt_tokens += len(sequence.prompt) - sequence.cached
            self._prompt_s += sequence.first_token_s - sequence.started_s
        is_eos = sampled.id in self._info.eog_tokens
        piece = b"" if is_eos else self._model.piece(sampled.id)
        output, ending = put_out(sequence, sampled, piece, is_eos=is_eos)
        if output is not None:
            self._emit(sequence, output)
        if ending is not None:
            self._finish(slot, ending)

    # Endings --------------------------------------------------------------------------------------------------------

    def _finish(self, slot: Slot, ending: Ending) -> None:
        sequence = slot.sequence
        assert sequence is not None
        rest = flush(sequence)
        if rest is not None:
            self._emit(sequence, rest)
        event = finished(slot, sequence, ending, self._clock())
        self._emit(sequence, event)
        self._release(slot, event)

    def _fail(self, slot: Slot, error: ServiceError) -> None:
        assert slot.sequence is not None
        self._emit(slot.sequence, Failed(error))
        self._release(slot, None)

    def _refuse(self, waiting: WaitingRequest, error: ServiceError) -> None:
        self._events[waiting.task_id] = (waiting.sink, [Failed(error)])

    def _release(self, slot: Slot, finished: Finished | None) -> None:
        sequence = slot.sequence
        assert sequence is not None
        now_s = self._clock()
        self._finished += 1
        self._predicted_tokens += sequence.sampled
        if sequence.first_token_s is not None:
            self._predicted_s += now_s - sequence.first_token_s
        if sequence.grammar is not None:
            sequence.grammar.close()
        slot.release(now_s, finished)

    def _emit(self, sequence: Sequence, event: Event) -> None:
        entry = self._events.get(sequence.task_id)
        if entry is None:
            self._events[sequence.task_id] = (sequence.sink, [event])
        else:
            entry[1].append(event)

    def _take_events(self) -> list[Delivery]:
        deliveries = list(self._events.values())
        self._events = {}
        return deliveries
