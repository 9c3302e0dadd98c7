from __future__ import annotations

import asyncio
import socket
import threading
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any

import gevent
import pytest

from rest_adapter.core.bridge import CAPACITY, Bridge, Mailbox, Work
from rest_adapter.errors import StreamClosed

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

WAIT_S = 20.0


@pytest.fixture
def bridge() -> Iterator[Bridge]:
    made = Bridge()
    yield made
    made.close()


async def put_all(mailbox: Mailbox[int], count: int, failure: Exception | None = None) -> None:
    for number in range(count):
        await mailbox.put(number)
    mailbox.finish(failure)


def finish(bridge: Bridge, coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine on the loop, and wait for its end."""
    ended: Future[None] = Future()

    async def work() -> None:
        try:
            await coroutine
        except BaseException as error:
            ended.set_exception(error)
            raise
        ended.set_result(None)

    Work(bridge, work)
    ended.result(WAIT_S)


@pytest.mark.parametrize("count", [0, 1, CAPACITY - 1, CAPACITY, CAPACITY + 1, 20 * CAPACITY])
def test_items_arrive_in_order_and_the_iteration_ends(bridge: Bridge, count: int) -> None:
    mailbox: Mailbox[int] = Mailbox(bridge)
    Work(bridge, partial(put_all, mailbox, count))
    assert list(mailbox) == list(range(count))
    assert list(mailbox) == []


def test_many_mailboxes_at_once(bridge: Bridge) -> None:
    mailboxes: list[Mailbox[int]] = [Mailbox(bridge) for _ in range(50)]
    readers = [gevent.spawn(list, mailbox) for mailbox in mailboxes]
    for mailbox in mailboxes:
        Work(bridge, partial(put_all, mailbox, 300))
    gevent.joinall(readers, timeout=WAIT_S, raise_error=True)
    assert [reader.value for reader in readers] == [list(range(300))] * 50


def test_a_failure_is_raised_after_the_items_and_again_later(bridge: Bridge) -> None:
    mailbox: Mailbox[int] = Mailbox(bridge)
    Work(bridge, partial(put_all, mailbox, 2, ValueError("no")))
    assert [next(mailbox), next(mailbox)] == [0, 1]
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            next(mailbox)


def test_a_writer_waits_for_a_slow_reader(bridge: Bridge) -> None:
    mailbox: Mailbox[int] = Mailbox(bridge)
    written: list[int] = []
    is_full = threading.Event()

    async def write() -> None:
        for number in range(3 * CAPACITY):
            if number == CAPACITY - 1:
                # The next line of this loop is reached only once the reader has made room.
                asyncio.get_running_loop().call_soon(is_full.set)
            await mailbox.put(number)
            written.append(number)
        mailbox.finish()

    Work(bridge, write)
    assert is_full.wait(WAIT_S)
    assert len(written) == CAPACITY - 1
    assert list(mailbox) == list(range(3 * CAPACITY))


def test_closing_wakes_up_a_waiting_reader(bridge: Bridge) -> None:
    mailbox: Mailbox[int] = Mailbox(bridge)
    reader = gevent.spawn(next, mailbox)
    gevent.sleep(0)
    mailbox.close()
    with pytest.raises(StreamClosed):
        reader.get(timeout=WAIT_S)


def test_closing_throws_away_what_has_come(bridge: Bridge) -> None:
    mailbox: Mailbox[int] = Mailbox(bridge)
    finish(bridge, put_all(mailbox, 3))
    assert next(mailbox) == 0
    mailbox.close(ValueError("enough"))
    with pytest.raises(ValueError, match="enough"):
        next(mailbox)


def test_closing_after_the_end_changes_nothing(bridge: Bridge) -> None:
    mailbox: Mailbox[int] = Mailbox(bridge)
    Work(bridge, partial(put_all, mailbox, 1))
    assert list(mailbox) == [0]
    mailbox.close()
    assert list(mailbox) == []


def test_a_reader_that_is_never_out_of_work_lets_others_run(bridge: Bridge) -> None:
    mailbox: Mailbox[int] = Mailbox(bridge)
    finish(bridge, put_all(mailbox, CAPACITY - 1))
    turns: list[int] = []

    def read() -> None:
        for number in mailbox:
            turns.append(number)  # noqa: PERF402 - while others append to it, too

    def note() -> None:
        turns.append(-1)

    gevent.joinall([gevent.spawn(read), gevent.spawn(note)], timeout=WAIT_S, raise_error=True)
    assert turns.index(-1) < CAPACITY // 2


def test_work_is_cancelled_while_it_runs_and_not_made_before_its_turn(bridge: Bridge) -> None:
    started, cancelled, may_go_on = threading.Event(), threading.Event(), threading.Event()
    made: list[str] = []

    async def wait() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def note() -> None:
        made.append("note")

    running = Work(bridge, wait)
    assert started.wait(WAIT_S)
    running.cancel()
    running.cancel()
    assert cancelled.wait(WAIT_S)
    bridge.call(may_go_on.wait, WAIT_S)
    Work(bridge, note).cancel()
    may_go_on.set()
    finish(bridge, note())
    assert made == ["note"]


def test_callbacks_without_end_do_not_keep_events_out(bridge: Bridge) -> None:
    async def receive() -> None:
        loop = asyncio.get_running_loop()
        ours, other = socket.socketpair()
        with ours, other:
            ours.setblocking(False)
            received = loop.create_task(loop.sock_recv(ours, 1))
            await asyncio.sleep(0)
            other.send(b"x")
            while not received.done():
                await asyncio.sleep(0)

    finish(bridge, receive())


def test_work_can_be_cancelled_when_the_bridge_is_closed() -> None:
    bridge = Bridge()
    work = Work(bridge, asyncio.Event().wait)  # type: ignore[arg-type]
    bridge.close()
    work.cancel()


def test_closing_the_bridge_cancels_what_runs_and_is_idempotent() -> None:
    bridge = Bridge()
    cancelled, started = threading.Event(), threading.Event()

    async def wait() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    Work(bridge, wait)
    assert started.wait(WAIT_S)
    bridge.close()
    bridge.close()
    assert cancelled.is_set()


def test_waiting_takes_nothing_and_ends_with_an_item_or_the_end(bridge: Bridge) -> None:
    mailbox: Mailbox[int] = Mailbox(bridge)
    Work(bridge, partial(put_all, mailbox, 1))
    assert mailbox.wait(WAIT_S)
    assert mailbox.wait(0)
    assert next(mailbox) == 0
    assert mailbox.wait(WAIT_S)
    assert list(mailbox) == []
    assert mailbox.wait(0)


def test_waiting_in_vain_loses_no_item(bridge: Bridge) -> None:
    mailbox: Mailbox[int] = Mailbox(bridge)
    for _ in range(3):
        assert not mailbox.wait(0.001)
    Work(bridge, partial(put_all, mailbox, 3))
    assert list(mailbox) == [0, 1, 2]


def test_closing_ends_a_wait(bridge: Bridge) -> None:
    mailbox: Mailbox[int] = Mailbox(bridge)
    waiting = gevent.spawn(mailbox.wait, WAIT_S)
    gevent.sleep(0)
    mailbox.close()
    assert waiting.get(timeout=WAIT_S)
    with pytest.raises(StreamClosed):
        next(mailbox)
