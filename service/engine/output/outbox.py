"""Collects a step's events, to be handed over at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.engine.request.events import Delivery, Event, Sink


class Outbox:
    """Events by task, in order."""

    def __init__(self) -> None:
        self._events: dict[int, tuple[Sink, list[Event]]] = {}

    def __bool__(self) -> bool:
        return bool(self._events)

    def put(self, task_id: int, sink: Sink, event: Event) -> None:
        """Add an event of a task."""
        entry = self._events.get(task_id)
        if entry is None:
            self._events[task_id] = (sink, [event])
        else:
            entry[1].append(event)

    def take(self) -> list[Delivery]:
        """All events since the last call."""
        deliveries = list(self._events.values())
        self._events = {}
        return deliveries
