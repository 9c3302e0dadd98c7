"""Requests for embeddings, until the last of their inputs is done."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from service.config import Pooling
from service.engine.request.events import Embedded, Failed, Sink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.engine.language_model import ModelInfo, Rows
    from service.engine.output.outbox import Outbox
    from service.engine.request.requests import EmbeddingRequest
    from service.errors import ServiceError


@dataclass(slots=True, eq=False)
class EmbeddingTask:
    """A request: its inputs that wait, ``n_items`` items in all, and the vectors of those that are done.

    The vectors of input ``i`` are the rows from ``starts[i]`` to before ``starts[i + 1]``.
    """

    id: int
    request: EmbeddingRequest
    sink: Sink
    vectors: Rows
    starts: Sequence[int]
    waiting: deque[int]
    n_open: int
    n_items: int

    @property
    def is_waiting(self) -> bool:
        """Whether none of its inputs was begun."""
        return len(self.waiting) == len(self.request.inputs)

    def rows_of(self, number: int) -> Rows:
        """Where the vectors of an input go: one, or one for each of its items."""
        rows: Rows = self.vectors[self.starts[number] : self.starts[number + 1]]
        return rows

    def begin(self, number: int) -> None:
        """Take an input out of those that wait."""
        self.waiting.remove(number)
        self.n_items -= len(self.request.inputs[number])

    def put_back(self, number: int) -> None:
        """Let an input that was begun wait again, before all others."""
        self.waiting.appendleft(number)
        self.n_items += len(self.request.inputs[number])


class EmbeddingTasks:
    """All embedding requests of an engine, in turn; whoever evaluates the inputs derives from it.

    Args:
        info: facts about the model.
        outbox: takes the answers.
    """

    def __init__(self, info: ModelInfo, outbox: Outbox) -> None:
        self._info = info
        self._outbox = outbox
        self._tasks: deque[EmbeddingTask] = deque()

    @property
    def has_work(self) -> bool:
        """Whether a request has not ended."""
        return bool(self._tasks)

    @property
    def n_waiting(self) -> int:
        """Requests of which nothing was begun."""
        return sum(task.is_waiting for task in self._tasks)

    @property
    def n_outstanding(self) -> int:
        """Items of inputs that are not evaluated yet."""
        return sum(task.n_items for task in self._tasks)

    def submit(self, task_id: int, request: EmbeddingRequest, sink: Sink) -> None:
        """Queue a request."""
        n_inputs = len(request.inputs)
        lengths = [len(items) for items in request.inputs]
        is_pooled = self._info.pooling is not Pooling.NONE
        starts = [0, *accumulate([1] * n_inputs if is_pooled else lengths)]
        vectors = np.zeros((starts[-1], self._info.n_embd), np.float32)
        waiting = deque(range(n_inputs))
        self._tasks.append(EmbeddingTask(task_id, request, sink, vectors, starts, waiting, n_inputs, sum(lengths)))

    def cancel(self, task_id: int) -> None:
        """End a request without an answer; unknown ids are ignored."""
        for task in self._tasks:
            if task.id == task_id:
                self._forget(task)
                return

    def fail_all(self, error: ServiceError) -> None:
        """Fail every request."""
        for task in list(self._tasks):
            self._fail(task, error)

    def _put(self, task: EmbeddingTask, number: int, vectors: Rows) -> None:
        """Take the vectors of an input; the last input ends the task."""
        task.rows_of(number)[:] = vectors
        task.n_open -= 1
        if not task.n_open:
            self._tasks.remove(task)
            self._outbox.put(task.id, task.sink, Embedded(task.vectors))

    def _fail(self, task: EmbeddingTask, error: ServiceError) -> None:
        self._forget(task)
        self._outbox.put(task.id, task.sink, Failed(error))

    def _forget(self, task: EmbeddingTask) -> None:
        self._tasks.remove(task)
