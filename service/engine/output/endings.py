"""How sequences end: by themselves, with an error, or because the caller is gone."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from service.engine.output.output import Ending, ends_with_line, finished, flush
from service.engine.request.events import Failed
from service.engine.request.items import whole_length
from service.engine.request.snapshots import Outcome
from service.engine.request.task import Task, unforeseen
from service.errors import EngineFailure, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.engine.cache.slot_memory import SlotMemory
    from service.engine.cache.slots import Slot
    from service.engine.language_model import DecodeFailed
    from service.engine.output.outbox import Outbox
    from service.engine.request.events import Finished
    from service.engine.request.sequence import RunningSequence, SequenceLife
    from service.engine.request.waiting import WaitingSequences
    from service.engine.schedule.embedding import EmbeddingWork

logger = logging.getLogger(__name__)


class Endings:
    """Ends sequences, wherever they are, and frees what they have.

    Args:
        slots: where they run.
        memory: what the slots hold.
        waiting: where they wait.
        embedding: the inputs that are evaluated in the same calls.
        outbox: takes the last events.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        slots: Sequence[Slot],
        memory: SlotMemory,
        waiting: WaitingSequences,
        embedding: EmbeddingWork,
        outbox: Outbox,
        clock: Callable[[], float],
    ) -> None:
        self._slots = slots
        self._memory = memory
        self._waiting = waiting
        self._embedding = embedding
        self._outbox = outbox
        self._clock = clock

    def find(self, task_id: int) -> Task | None:
        """The task of that number, None if it has no sequence that runs or waits."""
        for slot in self._slots:
            if slot.sequence is not None and slot.sequence.task.id == task_id:
                return slot.sequence.task
        return self._waiting.find(task_id)

    def finish(self, slot: Slot, ending: Ending) -> None:
        """End a slot's sequence by itself: send what was held back of its text, then its last event."""
        sequence = slot.sequence
        assert sequence is not None
        task = sequence.task
        if sequence.parsed is None:
            remainder = flush(sequence)
            if remainder is not None:
                self._outbox.put(task.id, task.sink, remainder)
        else:
            rest, _ = sequence.parsed.end()
            ends_with_line(sequence, rest)
            for output in rest:
                self._outbox.put(task.id, task.sink, output)
        event = finished(slot, sequence, ending, self._clock())
        self._outbox.put(task.id, task.sink, event)
        self._release(slot, sequence, event)
        _end(sequence.life, Outcome(ending.reason.value))

    def fail(self, task: Task, error: ServiceError) -> None:
        """End all sequences of a task with an error."""
        self._outbox.put(task.id, task.sink, Failed(error))
        self._close(task, Outcome.FAILED)

    def fail_by_fault(self, slot: Slot, sequence: RunningSequence, error: Exception) -> None:
        """End what runs in a slot after an unforeseen error, and drop what the slot holds, for it may be wrong."""
        self.fail(sequence.task, unforeseen(sequence.task.id, error))
        self._memory.drop(slot)

    def fail_batch(self, seq_ids: Sequence[int], error: DecodeFailed) -> None:
        """End the sequences of a failed call, because what they hold is unknown; all others go on."""
        logger.error("decode failed", extra={"error": str(error)})
        failure = EngineFailure("the model could not evaluate this request")
        for slot in [self._slots[seq_id] for seq_id in seq_ids if seq_id < len(self._slots)]:
            if slot.sequence is not None:
                self.fail(slot.sequence.task, failure)
            self._memory.drop(slot)
        self._embedding.fail_sequences(seq_ids, failure)

    def cancel(self, task: Task) -> None:
        """End all sequences of a task without further events."""
        self._close(task, Outcome.CANCELLED)

    def _release(self, slot: Slot, sequence: RunningSequence, event: Finished | None = None) -> None:
        slot.release(self._clock(), event)
        if sequence.media is not None:
            # A part of what cannot be divided is of use to nobody.
            self._memory.cut(slot, whole_length(sequence.prompt, len(slot.items)))

    def _close(self, task: Task, outcome: Outcome) -> None:
        lives = self._waiting.remove(task)
        for slot in self._slots:
            if slot.sequence is not None and slot.sequence.task is task:
                lives.append(slot.sequence.life)
                self._release(slot, slot.sequence)
        for life in lives:
            _end(life, outcome)


def _end(life: SequenceLife, outcome: Outcome) -> None:
    running = life.running
    life.finish(outcome)
    if running is not None and running.grammar is not None:
        running.grammar.close()
