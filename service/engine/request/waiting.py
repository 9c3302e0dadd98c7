"""The queue for slots: sequences that have none yet, and those that lost theirs."""

from __future__ import annotations

from bisect import insort_left, insort_right
from typing import TYPE_CHECKING

from service.engine.request.sequence import MoveListener, SequenceLife
from service.engine.request.state import SequenceState

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from service.config import EngineConfig
    from service.engine.request.task import Task


class WaitingSequences:
    """The sequences that wait for slots: higher priorities first, equal ones in order of arrival.

    A preempted one keeps its time of arrival, so it goes before all that came later.

    Args:
        listeners: are told of all moves of the sequences that are queued.
        config: how long a context is, and the limit on answers.

    Attributes:
        n_tasks: tasks whose first sequence has no slot.
        n_prompt: items of prompts that are to be evaluated; that of a task counts once.
        n_output: tokens that may be sampled.
    """

    def __init__(self, config: EngineConfig, listeners: Sequence[MoveListener] = ()) -> None:
        self._config = config
        self._listeners = listeners
        self._waiting: list[SequenceLife] = []
        self.n_tasks = self.n_prompt = self.n_output = 0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def __iter__(self) -> Iterator[SequenceLife]:
        """All of them in order, as they were at the beginning; the queue may be changed meanwhile."""
        return iter(self._waiting.copy())

    def add(self, task: Task) -> None:
        """Queue all sequences of a task. The first one evaluates the prompt, and the others wait to share it."""
        for index in range(task.request.n_sequences):
            life = SequenceLife(task, index, self._listeners)
            insort_right(self._waiting, life, key=_order)
            task.n_open += 1
            self._count(life, 1)
            if index:
                life.move(SequenceState.SHARING)

    def put_back(self, life: SequenceLife) -> None:
        """Queue a sequence that was taken out."""
        insort_left(self._waiting, life, key=_order)
        self._count(life, 1)

    def take(self, life: SequenceLife) -> bool:
        """Take a sequence out, to start it; False if it is not queued any more."""
        if life not in self._waiting:
            return False
        self._waiting.remove(life)
        self._count(life, -1)
        return True

    def end_sharing(self, task: Task) -> None:
        """Let the other sequences of a task start: the first one has evaluated the prompt."""
        if task.request.n_sequences > 1:
            for life in self._of(task):
                life.move(SequenceState.WAITING)

    def tasks(self) -> list[Task]:
        """All tasks with a waiting sequence, in order."""
        return list(dict.fromkeys(life.task for life in self._waiting))

    def find(self, task_id: int) -> Task | None:
        """The task of that number, None if none of its sequences waits."""
        return next((life.task for life in self._waiting if life.task.id == task_id), None)

    def remove(self, task: Task) -> list[SequenceLife]:
        """Take out and return what waits of a task."""
        mine = self._of(task)
        for life in mine:
            self.take(life)
        return mine

    def _count(self, life: SequenceLife, sign: int) -> None:
        """Count a sequence that comes, or one that goes; what it has to do does not change while it waits."""
        n_prompt, n_output = self._outstanding(life)
        self.n_prompt += sign * n_prompt
        self.n_output += sign * n_output
        self.n_tasks += sign * (life.index == 0)

    def _outstanding(self, life: SequenceLife) -> tuple[int, int]:
        """Items of its prompt that a sequence has to evaluate, and tokens that it may sample."""
        request, n_ctx = life.task.request, self._config.n_ctx_slot
        if life.swapped_out is not None and life.running is not None:
            running, n_held = life.running, len(life.swapped_out.contents.items)
            n_prompt = len(running.prompt)
            room = n_ctx - max(n_prompt, n_held)
            limit = running.max_tokens
            is_begun = life.swapped_out.state is SequenceState.DECODING
            return 0 if is_begun else n_prompt - n_held, room if limit is None else limit - running.sampled
        n_prompt = min(len(request.prompt), n_ctx)
        limits = [limit for limit in (request.max_tokens, self._config.max_tokens) if limit is not None]
        return n_prompt if life.index == 0 else 0, min(limits, default=n_ctx - n_prompt)

    def _of(self, task: Task) -> list[SequenceLife]:
        return [life for life in self._waiting if life.task is task]


def _order(life: SequenceLife) -> tuple[int, float]:
    return -life.task.request.priority, life.task.arrived_s
