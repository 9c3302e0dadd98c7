"""The queue for slots: sequences that have none yet, and those that lost theirs."""

from __future__ import annotations

from bisect import insort_left, insort_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.engine.cache.slot_memory import SlotContents
    from service.engine.request.sequence import RunningSequence
    from service.engine.request.task import Task


@dataclass(frozen=True, slots=True, eq=False)
class Preempted:
    """A sequence that had to leave its slot, and what the slot held for it."""

    sequence: RunningSequence
    contents: SlotContents


@dataclass(frozen=True, slots=True, eq=False)
class WaitingSequence:
    """Sequence number ``index`` of a task that has no slot.

    ``preempted`` is the sequence as far as it came, None if it never ran.
    """

    task: Task
    index: int
    preempted: Preempted | None = None

    @property
    def can_start(self) -> bool:
        """The first sequence of a task evaluates the prompt; the others wait until it is done, to share it."""
        return self.index == 0 or self.task.has_prompt or self.preempted is not None


class WaitingSequences:
    """What waits for slots: higher priorities first, among equals in order of arrival.

    What was preempted takes the place of its arrival, so it goes before all that came later.
    """

    def __init__(self) -> None:
        self._waiting: list[WaitingSequence] = []
        self._n_tasks = 0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def __iter__(self) -> Iterator[WaitingSequence]:
        """What can start, in order; changes meanwhile are allowed, but not seen."""
        return (waiting for waiting in self._waiting.copy() if waiting.can_start)

    @property
    def n_tasks(self) -> int:
        """Tasks whose first sequence has no slot."""
        return self._n_tasks

    def add(self, task: Task) -> None:
        """Queue all sequences of a task."""
        for index in range(task.request.n_sequences):
            insort_right(self._waiting, WaitingSequence(task, index), key=_order)
        self._n_tasks += 1

    def put_back(self, preempted: Preempted) -> None:
        """Queue a sequence that lost its slot."""
        sequence = preempted.sequence
        insort_left(self._waiting, WaitingSequence(sequence.task, sequence.index, preempted), key=_order)
        self._n_tasks += sequence.index == 0

    def take(self, waiting: WaitingSequence) -> bool:
        """Take one out, to start it; False if it does not wait any more."""
        if waiting not in self._waiting:
            return False
        self._waiting.remove(waiting)
        self._n_tasks -= waiting.index == 0
        return True

    def tasks(self) -> list[Task]:
        """All tasks with a waiting sequence, in order."""
        return list(dict.fromkeys(waiting.task for waiting in self._waiting))

    def find(self, task_id: int) -> Task | None:
        """The task of that number, None if none of its sequences waits."""
        return next((waiting.task for waiting in self._waiting if waiting.task.id == task_id), None)

    def remove(self, task: Task) -> list[Preempted]:
        """Forget what waits of a task; return those of its sequences that had begun."""
        mine = [waiting for waiting in self._waiting if waiting.task is task]
        for waiting in mine:
            self.take(waiting)
        return [waiting.preempted for waiting in mine if waiting.preempted is not None]


def _order(waiting: WaitingSequence) -> tuple[int, float]:
    return -waiting.task.request.priority, waiting.task.arrived_s
