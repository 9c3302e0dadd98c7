"""Counts how often one thread hands something to another, at functions of the standard library and of gevent.

Calls of the test's own thread, the main one, are not counted, nor are those that the standard library makes for itself.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import queue
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import gevent.hub
from gevent import config as gevent_config
from gevent.socket import socket as gevent_socket

from tests.counts.calls import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

#: Handed to a pool of threads.
POOL = "jobs for a pool"
#: Calls that another thread asks of an event loop.
LOOP = "wake-ups of an event loop"
#: What a waiting thread is told.
THREAD = "wake-ups of a thread"
#: What gevent's hub is told by another thread.
HUB = "wake-ups of the hub"
#: Writes to sockets of gevent.
WRITES = "socket writes"
WRITTEN = "bytes written"

#: Folders of the project's code.
PROJECT = (str(ROOT / "service"), str(ROOT / "rest_adapter"))


class HandOvers:
    """Counts from the moment it is made; loops and hubs that are made afterwards are counted.

    Args:
        monkeypatch: undoes it.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._monkeypatch = monkeypatch
        self._patch(ThreadPoolExecutor, "submit", POOL)
        self._count_loops()
        # These are inside of almost everything else, so only those count that the project's own code calls.
        for owner, name in (
            (threading.Condition, "notify"),
            (threading.Condition, "notify_all"),
            (threading.Event, "set"),
            (threading.Semaphore, "release"),
            (queue.Queue, "put"),
        ):
            self._patch(owner, name, THREAD, is_counted=_is_called_by_the_project)
        self._count_hubs()
        self._count_writes()

    def take(self) -> Counter[str]:
        """What was counted since the last time."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        return counts

    def note(self, kind: str, n: int = 1) -> None:
        """Count, unless the test itself does it."""
        if threading.current_thread() is not threading.main_thread():
            with self._lock:
                self._counts[kind] += n

    def _patch(self, owner: type, name: str, kind: str, *, is_counted: Callable[[], bool] = lambda: True) -> None:
        original = getattr(owner, name)

        @functools.wraps(original)
        def counting(*arguments: Any, **options: Any) -> Any:
            if is_counted():
                self.note(kind)
            return original(*arguments, **options)

        self._monkeypatch.setattr(owner, name, counting)

    def _count_loops(self) -> None:
        call_soon_threadsafe = asyncio.BaseEventLoop.call_soon_threadsafe

        def counting(loop: Any, callback: Any, *arguments: Any, **options: Any) -> Any:
            # Whether what is over is cancelled, or has been noticed to be over, is a matter of chance.
            if getattr(callback, "__name__", "") != "cancel":
                self.note(LOOP)
            return call_soon_threadsafe(loop, callback, *arguments, **options)

        self._monkeypatch.setattr(asyncio.BaseEventLoop, "call_soon_threadsafe", counting)

    def _count_writes(self) -> None:
        send, sendmsg = gevent_socket.send, gevent_socket.sendmsg

        # Noted before they are made: whoever reads what was sent may take the counts at once.
        def counting_send(connection: Any, data: Any, *arguments: Any, **options: Any) -> Any:
            self._note_write(len(data))
            return send(connection, data, *arguments, **options)

        def counting_sendmsg(connection: Any, buffers: Any, *arguments: Any, **options: Any) -> Any:
            self._note_write(sum(map(len, buffers)))
            return sendmsg(connection, buffers, *arguments, **options)

        self._monkeypatch.setattr(gevent_socket, "send", counting_send)
        self._monkeypatch.setattr(gevent_socket, "sendmsg", counting_sendmsg)

    def _note_write(self, n_bytes: int) -> None:
        self.note(WRITES)
        self.note(WRITTEN, n_bytes)

    def _count_hubs(self) -> None:
        note = self.note
        loop_type: Any = gevent_config.loop

        class CountingLoop(loop_type):  # type: ignore[misc]
            def async_(self, *arguments: Any, **options: Any) -> Any:
                return _CountingAsync(super().async_(*arguments, **options), note)

            def run_callback_threadsafe(self, *arguments: Any, **options: Any) -> Any:
                note(HUB)
                return super().run_callback_threadsafe(*arguments, **options)

        self._monkeypatch.setattr(gevent.hub.Hub, "loop_class", CountingLoop)


class _CountingAsync:
    """A watcher by which other threads wake the hub."""

    def __init__(self, watcher: Any, note: Callable[[str], None]) -> None:
        self._watcher = watcher
        self._note = note

    def __getattr__(self, name: str) -> Any:
        return getattr(self._watcher, name)

    def send(self, *arguments: Any) -> None:
        self._note(HUB)
        self._watcher.send(*arguments)


def _is_called_by_the_project() -> bool:
    # Above this function is the one that counts, and above that its caller.
    frame = inspect.currentframe()
    for _ in range(2):
        frame = frame and frame.f_back
    return frame is not None and frame.f_code.co_filename.startswith(PROJECT)
