"""Carries the events of one request from the engine to the handler that streams them.

The engine delivers the events of a step to all collectors in one wake-up of the event loop and never waits. A handler
that keeps up sends every token in a message of its own; one that lags sends everything since its last turn in one.

A client that stops reading goes unnoticed at first: gRPC buffers some hundred kilobytes for it before the handler
blocks in its write. From then on events pile up here, bounded by the request's limit on tokens and by ``MAX_BACKLOG``.
A request that exceeds it is ended in the engine, which frees its slot; a client that reads on gets what was collected
and then a RESOURCE_EXHAUSTED status. A slot is never paused for a slow reader, because a paused slot would keep its KV
cells. Clients and the REST adapter bound the whole wait with a deadline.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from service.engine.request.events import Event, Failed, Piece, PromptTokens, ToolDelta, is_last
from service.errors import ResourceExhausted
from slotline.protocol.reasons import LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable

#: Most pieces and reported candidates that may wait for a handler; about 100 bytes each.
MAX_BACKLOG = 1 << 20

#: Most pieces and reported candidates that are held back: more would take the event loop milliseconds to send.
MOST_HELD = 1024

#: What may be collected for a while before it is sent.
_OUTPUT = (Piece, ToolDelta)


class Collector:
    """A ``Sink`` whose events are taken in batches. All methods belong to the event loop's thread.

    Args:
        delay_s: pieces may be held back for this long, to be sent in fewer messages, but never more than ``MOST_HELD``,
            nor the last event.
        on_stall: called once if the backlog exceeds its bound; must end the request. Not needed for requests without
            output before their last event.
        max_backlog: the bound.
    """

    def __init__(
        self,
        *,
        on_stall: Callable[[], None] = lambda: None,
        delay_s: float = 0.0,
        max_backlog: int = MAX_BACKLOG,
    ) -> None:
        self._on_stall = on_stall
        self._delay_s = delay_s
        self._max_backlog = max_backlog
        self._events: list[Event] = []
        self._backlog = 0
        self._is_over = False
        self._is_mature = False
        self._timer: asyncio.TimerHandle | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def is_over(self) -> bool:
        """Whether the last event has been put in; it may not have been taken yet."""
        return self._is_over

    @property
    def is_drained(self) -> bool:
        """Whether the last event has been taken."""
        return self._is_over and not self._events

    def put(self, events: list[Event]) -> None:
        """Append events; those after the last one are ignored."""
        if self._is_over or not events:
            return
        self._events += events
        self._is_over = is_last(events[-1])
        self._backlog += sum(_weight(event) for event in events)
        if self._backlog > self._max_backlog and not self._is_over:
            self._end_stalled()
        is_due = self._is_over or self._delay_s <= 0 or self._backlog >= MOST_HELD
        if is_due or not all(isinstance(event, _OUTPUT) for event in events):
            self._mature()
        elif self._timer is None and not self._is_mature:
            self._timer = asyncio.get_running_loop().call_later(self._delay_s, self._mature)

    async def take(self) -> list[Event]:
        """All events since the last call; waits until there is one."""
        while not self._is_mature:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        events, self._events = self._events, []
        self._backlog = 0
        self._is_mature = False
        return events

    async def outcome(self) -> Event:
        """Wait for the last event and return it, for requests whose other events do not matter.

        Raises:
            ServiceError: the request failed.
        """
        while True:
            for event in await self.take():
                if isinstance(event, Failed):
                    raise event.error
                if is_last(event):
                    return event

    def close(self) -> None:
        """Ignore further events, and drop those that were not taken."""
        self._is_over = True
        self._events = []
        if self._timer is not None:
            self._timer.cancel()

    def _mature(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._is_mature = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _end_stalled(self) -> None:
        self._is_over = True
        self._events.append(
            Failed(
                ResourceExhausted(
                    f"the stream was not read for too long: {self._backlog} pieces and candidates were waiting, "
                    f"at most {self._max_backlog} may",
                    metadata={LIMIT: str(self._max_backlog)},
                )
            )
        )
        self._on_stall()


def _weight(event: Event) -> int:
    if not isinstance(event, Piece | PromptTokens):
        return 1
    return 1 + sum(len(token.probabilities) + len(token.top_logprobs) for token in event.tokens)
