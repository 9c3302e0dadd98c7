"""The requests that run, as they were received, for those who ask what a slot does."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from slotline.v1.generation_pb2 import GenerateRequest


class ReceivedRequests:
    """Knows requests by task, for as long as their calls last. Belongs to the event loop."""

    def __init__(self) -> None:
        self._by_task: dict[int, GenerateRequest] = {}

    @contextlib.contextmanager
    def known(self, task_id: int, request: GenerateRequest) -> Iterator[None]:
        """A block in which the request of a task is known."""
        self._by_task[task_id] = request
        try:
            yield
        finally:
            del self._by_task[task_id]

    def find(self, task_id: int | None) -> GenerateRequest | None:
        """The request of a task; None if its call is over, or if nobody called."""
        return None if task_id is None else self._by_task.get(task_id)
