"""A generation request on its way through the engine, and the queue in which its sequences wait for slots."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from service.engine.types import GenerationRequest, Sink


@dataclass(slots=True, eq=False)
class Task:
    """A request, and what its sequences have in common.

    Attributes:
        id: number of the task.
        arrived_s: when it was submitted.
        n_open: sequences that have not ended.
        has_prompt: the prompt of its first sequence is evaluated; the others can share it.
        n_sampled: tokens that its ended sequences sampled.
    """

    id: int
    request: GenerationRequest
    sink: Sink
    arrived_s: float
    n_open: int
    has_prompt: bool = False
    n_sampled: int = 0


@dataclass(frozen=True, slots=True)
class WaitingSequence:
    """Sequence number ``index`` of a task that has no slot yet."""

    task: Task
    index: int


class WaitingSequences:
    """What waits for slots, in order of arrival.

    The first sequence of a task evaluates the prompt. The others wait until it is done, and others pass them by
    meanwhile; then they join as slots become free.
    """

    def __init__(self) -> None:
        self._waiting: deque[WaitingSequence] = deque()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def n_tasks(self) -> int:
        """Tasks of which no sequence has a slot."""
        return sum(waiting.index == 0 for waiting in self._waiting)

    def add(self, task: Task) -> None:
        """Queue all sequences of a task."""
        self._waiting.extend(WaitingSequence(task, index) for index in range(task.request.n_sequences))

    def take(self) -> WaitingSequence | None:
        """The next one that can start, None if there is none."""
        for place, waiting in enumerate(self._waiting):
            if waiting.index == 0 or waiting.task.has_prompt:
                del self._waiting[place]
                return waiting
        return None

    def tasks(self) -> list[Task]:
        """All tasks with a waiting sequence, in order."""
        return list(dict.fromkeys(waiting.task for waiting in self._waiting))

    def find(self, task_id: int) -> Task | None:
        """The task of that number, None if none of its sequences waits."""
        return next((waiting.task for waiting in self._waiting if waiting.task.id == task_id), None)

    def remove(self, task: Task) -> None:
        """Forget what waits of a task."""
        self._waiting = deque(waiting for waiting in self._waiting if waiting.task is not task)
