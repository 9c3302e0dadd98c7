"""Carries one request's events from the engine's deliveries to the handler that streams them.

The engine delivers a step's events to all collectors in one wake-up of the event loop and never waits. A handler that
keeps up sends every token as its own message; one that lags finds everything since its last turn and sends it as one.

What stalls. A client that stops reading is not visible: gRPC buffers some hundred kilobytes for it before the handler
blocks in its write. From then on events pile up here, bounded by the request's token limit, and by ``MAX_BACKLOG``: a
request that exceeds it is ended in the engine, which frees the slot, and the client gets what was collected and then a
RESOURCE_EXHAUSTED status, should it ever read on. A slot is never paused for a slow reader, because a paused slot holds
its KV cells. Clients and the REST adapter bound the whole wait with a deadline.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from service.engine.request.events import Event, Failed, Piece, PromptTokens, is_last
from service.errors import ResourceExhausted

if TYPE_CHECKING:
    from collections.abc import Callable

#: Most pieces plus reported candidates that may wait for a handler; about 100 bytes each.
MAX_BACKLOG = 1 << 20


class Collector:
    """A ``Sink`` whose events are taken in batches. All methods belong to the event loop's thread.

    Args:
        delay_s: pieces are held back for up to so long, to be sent in fewer messages; the ending never is.
        on_stall: called once if the backlog grows beyond its bound; must end the request. Not needed for requests that
            have no output before their last event.
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
        self._is_ripe = False
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
        if self._is_over or self._delay_s <= 0 or not all(isinstance(event, Piece) for event in events):
            self._ripen()
        elif self._timer is None and not self._is_ripe:
            self._timer = asyncio.get_running_loop().call_later(self._delay_s, self._ripen)

    async def take(self) -> list[Event]:
        """All events since the last call, at least one; waits for it."""
        while not self._is_ripe:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        events, self._events = self._events, []
        self._backlog = 0
        self._is_ripe = False
        return events

    async def outcome(self) -> Event:
        """The last event; for requests of which nothing else is of interest.

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
        """Take no more events; forget those that were not taken."""
        self._is_over = True
        self._events = []
        if self._timer is not None:
            self._timer.cancel()

    def _ripen(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._is_ripe = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _end_stalled(self) -> None:
        self._is_over = True
        self._events.append(
            Failed(
                ResourceExhausted(
                    f"the stream was not read for too long: {self._backlog} pieces and candidates were waiting, "
                    f"at most {self._max_backlog} may",
                    metadata={"limit": str(self._max_backlog)},
                )
            )
        )
        self._on_stall()


def _weight(event: Event) -> int:
    if not isinstance(event, Piece | PromptTokens):
        return 1
    return 1 + sum(len(token.probabilities) + len(token.top_logprobs) for token in event.tokens)
