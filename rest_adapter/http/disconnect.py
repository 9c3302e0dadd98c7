"""Noticing that a client has gone while it is owed an answer.

A write fails only when there is something to write, which during a prefill may take seconds. So each generation
watches its socket for the end of the input. A client that closes only its sending side looks the same and is taken
for gone, too.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Any

import gevent
from gevent import socket

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

# Key of the WSGI environment under which ``handler`` puts the connection's socket.
SOCKET_KEY = "slotline.socket"
# How often a connection is looked at that has sent more bytes than its request.
_PIPELINED_POLL_S = 0.02


# What a watcher of the loop is told to wait for: bytes, or the end of the input.
_READ = 1


class DisconnectWatch:
    """Calls a function once if the client goes away between ``start`` and ``stop``.

    Watches with the loop's own watchers, which ``stop`` takes back at once. A greenlet that waited would take its
    watcher back only when it is its turn, after the socket was closed: libev ends the process if a watcher of a closed
    socket is left.

    Args:
        connection: the client's socket, or None if there is none (then nothing is ever noticed).
        on_disconnect: called in a greenlet of its own.
    """

    def __init__(self, connection: socket.socket | None, on_disconnect: Callable[[], None]) -> None:
        self._connection = connection
        self._on_disconnect = on_disconnect
        self._watcher: Any = None

    def start(self) -> None:
        """Begin to watch."""
        if self._connection is not None:
            loop = gevent.get_hub().loop
            self._wait(loop.io(self._connection.fileno(), _READ))

    def stop(self) -> None:
        """Stop watching; must happen before the socket is closed. Idempotent."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.stop()
            watcher.close()

    def __enter__(self) -> DisconnectWatch:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait(self, watcher: Any) -> None:
        self._watcher = watcher
        watcher.start(self._look)

    def _look(self) -> None:
        """See what has happened; called by the loop, so nothing here may wait."""
        assert self._connection is not None
        self.stop()
        if _is_gone(self._connection):
            gevent.spawn(self._on_disconnect)
        else:
            # The next request is already here, so the socket stays readable: waiting for that would spin.
            self._wait(gevent.get_hub().loop.timer(_PIPELINED_POLL_S))


def _is_gone(connection: socket.socket) -> bool:
    poll = select.poll()
    # POLLRDHUP tells the end of the input even behind bytes that nobody has read yet.
    poll.register(connection.fileno(), select.POLLRDHUP)
    return bool(poll.poll(0))
