"""The way from the engine's thread into the event loop."""

from __future__ import annotations

import asyncio
import threading

from service.api.core.delivery import EventLoopBridge
from service.engine.request.events import Event, Piece


class Sink:
    """Notes what it gets, and in which thread."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.threads: set[int] = set()

    def put(self, events: list[Event]) -> None:
        """Take events."""
        self.events += events
        self.threads.add(threading.get_ident())


async def test_events_arrive_on_the_loop_in_their_order() -> None:
    bridge, first, second = EventLoopBridge(), Sink(), Sink()
    bridge.attach()
    await asyncio.to_thread(bridge.deliver, [(first, [Piece("a")]), (second, [Piece("b")]), (first, [Piece("c")])])
    await asyncio.sleep(0)
    assert (first.events, second.events) == ([Piece("a"), Piece("c")], [Piece("b")])
    assert first.threads == second.threads == {threading.get_ident()}


async def test_tasks_are_waited_for_and_not_cancelled() -> None:
    bridge, may_end, ends = EventLoopBridge(), asyncio.Event(), []

    async def work() -> None:
        await may_end.wait()
        ends.append("ended")

    bridge.attach()
    await asyncio.to_thread(bridge.spawn, work)
    await asyncio.sleep(0)
    await bridge.finish(0.0)
    assert ends == []
    may_end.set()
    await bridge.finish(30.0)
    assert ends == ["ended"]
    await bridge.finish(30.0)


def test_an_engine_that_outlives_the_loop_is_not_disturbed() -> None:
    bridge, sink = EventLoopBridge(), Sink()

    async def attach() -> None:
        bridge.attach()

    asyncio.run(attach())
    bridge.deliver([(sink, [Piece("a")])])
    assert sink.events == []
