"""From gevent to asyncio and back: one native thread for gRPC, one watcher that wakes the hub for all its messages.

gRPC runs on an asyncio loop in a thread of its own, HTTP on gevent's hub. The only gevent call that is safe from
another thread is ``async_.send``, so one such watcher serves all mailboxes: a mailbox with new items puts itself on a
list and triggers the watcher, and the hub then wakes the readers of all mailboxes on the list. Triggers coalesce, and a
mailbox whose reader is busy causes none.
"""

from __future__ import annotations

import asyncio
import selectors
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import gevent
from gevent.event import Event

from rest_adapter.errors import StreamClosed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

Item = TypeVar("Item")

#: A writer pauses when so many items wait for their reader, and goes on at half of it.
CAPACITY = 256
#: A reader that always finds something new lets the other greenlets run after this many items.
TURN = 64


class Bridge:
    """An asyncio loop in a native thread. Make it in the thread of the hub that is to be woken up."""

    def __init__(self) -> None:
        self._to_wake: deque[Mailbox[Any]] = deque()
        self._wake_watcher = gevent.get_hub().loop.async_()
        self._wake_watcher.start(self._wake_readers)
        self._loop = asyncio.SelectorEventLoop(_BusySelector())
        self._thread = threading.Thread(target=self._run_loop, name="slotline-grpc", daemon=True)
        self._thread.start()

    def call(self, callback: Any, *args: Any) -> None:
        """Call a function on the loop, soon, from any thread. Without effect once the bridge is closed."""
        # The loop is closed by its own thread, so that looking whether it is would not help.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback, *args)

    def wake_reader_of(self, mailbox: Mailbox[Any]) -> None:
        """Have the reader of a mailbox woken up. For the loop's thread."""
        self._to_wake.append(mailbox)
        self._wake_watcher.send()

    def close(self) -> None:
        """Cancel what runs on the loop and end the thread. Idempotent."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._wake_readers()
            self._wake_watcher.stop()
            self._wake_watcher.close()

    def _wake_readers(self) -> None:
        while self._to_wake:
            self._to_wake.popleft().wake()

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


class _BusySelector(selectors.EpollSelector):
    """Looks for events only every other time while callbacks wait for their turn.

    A message takes two turns of the loop: in one a future is set, in the next its task goes on. A look at the sockets
    between the two finds nothing that could not wait, and without it a message costs one system call less.
    """

    _has_skipped = False

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for events, up to ``timeout`` seconds; with 0, perhaps only the next time."""
        self._has_skipped = timeout == 0 and not self._has_skipped
        return [] if self._has_skipped else super().select(timeout)


class Work:
    """A coroutine that runs on the loop, or will soon. Costs less than a future for its result, which nobody asks for.

    Args:
        bridge: has the loop.
        make: makes the coroutine, on the loop. Not called if the work is cancelled before its turn, so that no
            coroutine is left that nobody awaits.
    """

    def __init__(self, bridge: Bridge, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._bridge = bridge
        self._make = make
        self._is_cancelled = False
        self._task: asyncio.Task[None] | None = None
        bridge.call(self._begin)

    def cancel(self) -> None:
        """Cancel it, from any thread. Without effect after its end."""
        self._is_cancelled = True
        self._bridge.call(self._cancel)

    def _begin(self) -> None:
        if not self._is_cancelled:
            self._task = asyncio.get_running_loop().create_task(self._make())

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()


@dataclass(frozen=True, slots=True)
class _End:
    failure: Exception | None


class Mailbox(Generic[Item]):
    """Carries items from coroutines to one greenlet, bounded, in order.

    Coroutines call ``put`` and at the end ``finish``; the greenlet iterates and may ``close``.

    Attributes:
        is_finished: whether ``finish`` has been called.
    """

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._items: deque[Item | _End] = deque()
        self._news = Event()
        # Whether the reader looks into the mailbox without being woken up, or is being woken up.
        self._is_awake = True
        self._room = asyncio.Event()
        self._is_paused = False
        self._end: _End | None = None
        self._turn = 0
        self.is_finished = False

    async def put(self, item: Item) -> None:
        """Add an item; wait while the reader is CAPACITY items behind."""
        self._append(item)
        while len(self._items) >= CAPACITY:
            self._room.clear()
            self._is_paused = True
            # Look again: the reader may have made room before it could see the pause.
            if len(self._items) < CAPACITY:
                return
            await self._room.wait()

    def finish(self, failure: Exception | None = None) -> None:
        """End the iteration, with an error if one is given. For the loop's thread."""
        self.is_finished = True
        self._append(_End(failure))

    def __iter__(self) -> Mailbox[Item]:
        return self

    def __next__(self) -> Item:
        items = self._items
        while self._end is None:
            if not items:
                self.wait()
            elif self._turn >= TURN:
                self._turn = 0
                gevent.sleep(0)
            else:
                self._turn += 1
                item = items.popleft()
                if isinstance(item, _End):
                    self._end = item
                    break
                if self._is_paused and len(items) <= CAPACITY // 2:
                    self._is_paused = False
                    self._bridge.call(self._room.set)
                return item
        raise self._end.failure or StopIteration

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for an item or the end, without taking it. False if neither came within ``timeout_s``."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._items and self._end is None:
            left_s = None if deadline is None else deadline - time.monotonic()
            if left_s is not None and left_s <= 0:
                return False
            self._turn = 0
            self._news.clear()
            self._is_awake = False
            # Look again: an item that came before the line above woke nobody.
            if not self._items:
                self._news.wait(left_s)
        return True

    def close(self, failure: Exception | None = None) -> None:
        """Throw away what is in the mailbox and end the iteration with ``failure``, by default ``StreamClosed``.

        For the hub's thread; a greenlet that waits in the iteration wakes up. Without effect after the end.
        """
        if self._end is None:
            self._end = _End(failure or StreamClosed())
            self._items.clear()
            self._news.set()

    def wake(self) -> None:
        """Wake up the reader. For the hub's thread."""
        self._news.set()

    def _append(self, item: Item | _End) -> None:
        self._items.append(item)
        if not self._is_awake:
            self._is_awake = True
            self._bridge.wake_reader_of(self)
