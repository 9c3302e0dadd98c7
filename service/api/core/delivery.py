"""The way from the engine's thread into the event loop."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from service.engine.request.events import Delivery


class EventLoopBridge:
    """Runs on the event loop what the engine's thread asks for.

    ``deliver`` and ``spawn`` are for any thread, once ``attach`` was called; all else belongs to the event loop.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def attach(self) -> None:
        """Use the running loop from now on."""
        self._loop = asyncio.get_running_loop()

    def deliver(self, deliveries: list[Delivery]) -> None:
        """Put a step's events into their sinks: one wake-up of the loop for all of them."""
        self._call(_distribute, deliveries)

    def spawn(self, make: Callable[[], Awaitable[None]]) -> None:
        """Run as a task what ``make`` returns."""
        self._call(self._start, make)

    async def finish(self, timeout_s: float) -> None:
        """Wait for the tasks, but not longer than ``timeout_s``; those that still run are not cancelled."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)

    def _call(self, callback: Callable[..., object], *arguments: object) -> None:
        # An engine that could not be stopped in time outlives the loop; nobody is left to hear from it then.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback, *arguments)

    def _start(self, make: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            await make()

        task = self._loop.create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _distribute(deliveries: list[Delivery]) -> None:
    for sink, events in deliveries:
        sink.put(events)
