"""Noticing that a client has gone while it is owed an answer.

A write fails only when there is something to write, which during a prefill may take seconds. So each generation
watches its socket for the end of the input. A client that closes only its sending side looks the same and is taken
for gone, too.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from types import TracebackType

import gevent
from gevent import socket
from gevent.greenlet import Greenlet

# Key of the WSGI environment under which ``handler`` puts the connection's socket.
SOCKET_KEY = "slotline.socket"
# How often a connection is looked at that has sent more bytes than its request.
_PIPELINED_POLL_S = 0.02


class DisconnectWatch:
    """Calls a function once if the client goes away between ``start`` and ``stop``.

    Args:
        connection: the client's socket, or None if there is none (then nothing is ever noticed).
        on_disconnect: called in a greenlet of its own.
    """

    def __init__(self, connection: socket.socket | None, on_disconnect: Callable[[], None]) -> None:
        self._connection = connection
        self._on_disconnect = on_disconnect
        self._greenlet: Greenlet[[socket.socket], None] | None = None

    def start(self) -> None:
        """Begin to watch."""
        if self._connection is not None:
            self._greenlet = gevent.spawn(self._watch, self._connection)

    def stop(self) -> None:
        """Stop watching; must happen before the socket is closed. Idempotent."""
        if self._greenlet is not None:
            self._greenlet.kill(block=False)
            self._greenlet = None

    def __enter__(self) -> DisconnectWatch:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _watch(self, connection: socket.socket) -> None:
        socket.wait_read(connection.fileno())
        while not _is_gone(connection):
            # The next request is already here, so the socket stays readable: waiting for that would spin.
            gevent.sleep(_PIPELINED_POLL_S)
        # From here on ``stop`` must not kill us half-way.
        self._greenlet = None
        self._on_disconnect()


def _is_gone(connection: socket.socket) -> bool:
    poll = select.poll()
    # POLLRDHUP tells the end of the input even behind bytes that nobody has read yet.
    poll.register(connection.fileno(), select.POLLRDHUP)
    return bool(poll.poll(0))
