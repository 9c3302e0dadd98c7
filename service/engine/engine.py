"""The engine: what is asked of it, and what a step consists of. One call of ``step`` is one turn of the crank."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from service.engine.cache.slot_memory import SlotMemory
from service.engine.cache.slots import Slot
from service.engine.cache.system_prompt import SystemPromptHolder
from service.engine.language_model import CacheFull, DecodeFailed
from service.engine.output.outbox import Outbox
from service.engine.output.output import Ending, accepted
from service.engine.request.events import Delivery, Failed, FinishReason, Sink, SystemPromptSet
from service.engine.request.requests import (
    EmbeddingRequest,
    GenerationRequest,
    Request,
    SystemPrompt,
    SystemPromptRequest,
)
from service.engine.request.snapshots import EngineSnapshot
from service.engine.request.state import SequenceState
from service.engine.request.task import Task, unforeseen
from service.engine.request.waiting import WaitingSequences
from service.engine.schedule.admission import Admission
from service.engine.schedule.embedding import EmbeddingWork
from service.engine.schedule.preemption import Preemption
from service.engine.schedule.prefill_budget import PrefillBudget
from service.engine.statistics.totals import Totals
from service.engine.step import RunningSequences
from service.errors import (
    ContextLengthExceeded,
    Draining,
    EngineFailure,
    InvalidArgument,
    ServiceError,
    SlotsBusy,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.config import EngineConfig
    from service.engine.cache.dump import LedgerDump
    from service.engine.language_model import CausalModel
    from service.engine.request.sequence import MoveListener, SequenceLife

logger = logging.getLogger(__name__)


class Engine:
    """Runs requests on one model. Not thread-safe: ``EngineThread`` drives it.

    Invariant after every step: for each slot, ``slot.tokens`` is what the model's memory holds for its sequence.

    Args:
        model: the model; all of its sequences belong to the engine: the first ones to the slots, one to the system
            prompt, the rest to inputs that are being embedded.
        config: slots and limits.
        clock: seconds from any start, monotonic.

    Raises:
        InvalidArgument: the model cannot do what the configuration asks for.
    """

    def __init__(self, model: CausalModel, config: EngineConfig, clock: Callable[[], float]) -> None:
        self._info = model.info
        self._config = config
        self._clock = clock
        if config.group_n > 1 and not self._info.can_shift:
            raise InvalidArgument("group_n", f"is {config.group_n}; this model's positions are fixed: allowed is 1")
        self._slots = [Slot(slot_id) for slot_id in range(config.n_slots)]
        self._totals = Totals(clock)
        self._listeners: list[MoveListener] = [self._totals.on_move]
        self._waiting = WaitingSequences(self._listeners)
        self._memory = SlotMemory(model.info, model.memory, self._slots, config)
        self._system = SystemPromptHolder(model.compute, self._info.n_batch, config.n_slots, self._memory, clock)
        self._system_task: tuple[int, Sink] | None = None
        self._outbox = Outbox()
        seq_ids = range(config.n_slots + 1, self._info.n_seq_max)
        self._embedding = EmbeddingWork(model.info, model.memory, seq_ids, self._outbox)
        self._admission = Admission(model.info, model.vocabulary, config, self._slots, self._memory, self._system)
        self._budget = PrefillBudget(
            busy_s=config.prefill_budget_ms / 1000, idle_s=config.idle_prefill_budget_ms / 1000
        )
        self._preemption = Preemption(self._slots, self._memory, self._waiting, clock)
        self._running = RunningSequences(
            model,
            config,
            self._slots,
            self._memory,
            self._waiting,
            self._preemption,
            self._embedding,
            self._budget,
            self._outbox,
            self._totals,
            clock,
        )

    # What callers see -----------------------------------------------------------------------------------------------

    @property
    def has_work(self) -> bool:
        """Whether another step would do anything."""
        return bool(self._outbox) or self._is_serving

    @property
    def _is_serving(self) -> bool:
        return (
            bool(self._waiting)
            or self._embedding.has_work
            or self._system_task is not None
            or self._system.is_pending
            or any(not slot.is_idle for slot in self._slots)
        )

    @property
    def queue_depth(self) -> int:
        """Requests that wait for a slot, or to be embedded."""
        return self._waiting.n_tasks + self._embedding.n_waiting

    @property
    def n_sharing(self) -> int:
        """Sequences that wait for a prompt which another one evaluates, as far as the last step found out."""
        return len(self._admission.sharing)

    def listen(self, listener: MoveListener) -> None:
        """Tell a listener of every move that a sequence makes from now on, right after it."""
        self._listeners.append(listener)

    def submit(self, task_id: int, request: Request, sink: Sink, arrived_s: float | None = None) -> None:
        """Queue a request; it is looked at in the next step.

        Args:
            task_id: number of the request.
            request: what is asked for.
            sink: takes its events.
            arrived_s: when it arrived, if that was earlier than now.
        """
        arrived_s = self._clock() if arrived_s is None else arrived_s
        try:
            match request:
                case GenerationRequest():
                    if request.system_prompt is not None:
                        self._change_system_prompt(request.system_prompt)
                    self._waiting.add(Task(task_id, request, sink, arrived_s, request.n_sequences))
                case EmbeddingRequest():
                    self._check_inputs(request)
                    self._embedding.submit(task_id, request, sink)
                case SystemPromptRequest():
                    self._change_system_prompt(request.system_prompt)
                    self._system_task = task_id, sink
        except ServiceError as error:
            self._outbox.put(task_id, sink, Failed(error))
        except Exception as error:
            self._outbox.put(task_id, sink, Failed(unforeseen(task_id, error)))

    def cancel(self, task_id: int) -> None:
        """End a request without further events; unknown ids are ignored, for the request may have ended."""
        task = self._running.find(task_id)
        if task is not None:
            self._running.cancel(task)
        else:
            self._embedding.cancel(task_id)

    def stop(self) -> list[Delivery]:
        """End all requests: running sequences finish as cancelled, all others are refused."""
        for slot in self._slots:
            if slot.sequence is not None:
                self._running.finish(slot, Ending(FinishReason.CANCELLED))
        return self.fail_all(Draining())

    def fail_all(self, error: ServiceError) -> list[Delivery]:
        """Fail every request that has not ended."""
        for slot in self._slots:
            if slot.sequence is not None:
                self._running.fail(slot.sequence.task, error)
        for task in self._waiting.tasks():
            self._running.fail(task, error)
        self._embedding.fail_all(error)
        self._end_system_task(Failed(error))
        return self._outbox.take()

    def snapshot(self) -> EngineSnapshot:
        """The engine as it is now."""
        return EngineSnapshot(
            slots=tuple(slot.snapshot() for slot in self._slots),
            queue_depth=self.queue_depth,
            kv_cells_used=self._memory.cells_used,
            kv_cells_total=self._info.n_cells,
            counters=self._totals.counters(),
            system_prompt=self._system.current,
            distributions=self._totals.distributions(),
            saved_prompts=len(self._memory.saved),
            saved_bytes=self._memory.saved.n_bytes,
            restored_prompts=self._memory.saved.n_restored,
        )

    def dump(self) -> LedgerDump:
        """What is recorded of the KV cache, to be compared with what the model holds."""
        return self._memory.dump()

    def step(self) -> list[Delivery]:
        """Do one step and return its events, in order per request."""
        started_s = self._clock()
        self._work()
        self._totals.end_step(self._clock() - started_s)
        return self._outbox.take()

    def _work(self) -> None:
        if self._system.is_pending:
            self._evaluate_system_prompt()
            return
        if self._system_task is not None:
            self._end_system_task(SystemPromptSet())
        self._admit()
        self._memory.limit_idle()
        self._running.make_room_in_contexts()
        self._running.evaluate()

    # System prompt --------------------------------------------------------------------------------------------------

    def _change_system_prompt(self, prompt: SystemPrompt) -> None:
        if self._is_serving:
            raise SlotsBusy
        if self._system.change(prompt):
            self._memory.drop_all()

    def _evaluate_system_prompt(self) -> None:
        """Evaluate a chunk of it. Whoever waits needs it, and nobody runs, so nothing else is in this step."""
        started_s = self._clock()
        try:
            n_tokens = self._system.advance(self._budget)
            self._totals.add_evaluated(n_tokens, self._clock() - started_s)
        except (CacheFull, DecodeFailed) as error:
            logger.error("the system prompt cannot be evaluated", extra={"error": str(error)})
            failure = EngineFailure("the model could not evaluate the system prompt; there is none now")
            self._end_system_task(Failed(failure))
            for task in self._waiting.tasks():
                if task.request.system_prompt is not None:
                    self._running.fail(task, failure)

    def _end_system_task(self, event: SystemPromptSet | Failed) -> None:
        if self._system_task is not None:
            (task_id, sink), self._system_task = self._system_task, None
            self._outbox.put(task_id, sink, event)

    # Admission ------------------------------------------------------------------------------------------------------

    def _admit(self) -> None:
        """Start what waits, in order, as far as slots and cells go."""
        sharing = self._admission.sharing
        sharing.forget_ended()
        for life in self._waiting:
            try:
                if not sharing.waits_for_first(life) and not self._admit_next(life):
                    break
            except Exception as error:
                self._running.fail(life.task, unforeseen(life.task.id, error))
        if self._embedding.has_work:
            busy = sum(len(slot.tokens) for slot in self._slots if not slot.is_idle)
            self._embedding.admit(self._info.n_cells - busy - len(self._system.tokens))

    def _admit_next(self, life: SequenceLife) -> bool:
        """Start what waits first, unless it had better wait; False if nothing behind it can start either."""
        slot = self._slot_for(life)
        if slot is None or not self._admission.has_cells(life):
            return False
        if self._admission.sharing.must_wait(life):
            return True
        if not self._vacate(slot):
            return False
        if self._waiting.take(life):
            self._start(life)
        return True

    def _slot_for(self, life: SequenceLife) -> Slot | None:
        """An idle slot, else one whose sequence gives way to a higher priority; None if there is neither."""
        idle = next((slot for slot in self._slots if slot.is_idle), None)
        return idle or self._preemption.victim(below=life.task.request.priority)

    def _vacate(self, slot: Slot) -> bool:
        """Preempt what runs in a slot, if anything does; whether the slot is idle then."""
        return slot.is_idle or self._preemption.preempt(slot)

    def _start(self, life: SequenceLife) -> None:
        """Start or resume what was taken out of the queue; whoever ends it after an error finds it there again."""
        try:
            if life.state is SequenceState.PREEMPTED:
                self._resume(life)
                return
            slot = self._admission.start(life, self._clock())
        except ServiceError as error:
            self._waiting.put_back(life)
            self._running.fail(life.task, error)
            return
        except BaseException:
            self._waiting.put_back(life)
            raise
        assert slot.sequence is not None
        if life.index == 0:
            self._running.emit(life.task, accepted(slot, slot.sequence))

    def _resume(self, life: SequenceLife) -> None:
        slot = min((slot for slot in self._slots if slot.is_idle), key=lambda slot: slot.last_used_s)
        try:
            if not self._preemption.resume(life, slot):
                self._waiting.put_back(life)
        except DecodeFailed as error:
            logger.error("a preempted sequence cannot go on", extra={"error": str(error)})
            raise EngineFailure("the model could not go on with this request") from error
        except BaseException:
            self._memory.drop(slot)
            raise

    def _check_inputs(self, request: EmbeddingRequest) -> None:
        """Refuse what would never fit beside the system prompt."""
        n_ctx = self._config.n_ctx_slot - len(self._system.tokens)
        longest = max(map(len, request.inputs))
        if longest >= n_ctx:
            raise ContextLengthExceeded(longest, n_ctx)
