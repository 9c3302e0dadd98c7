"""Noticing that a client has gone before its answer is complete.

A failing write would tell, but during a prefill there may be nothing to write for seconds. So each generation watches
its socket for the end of the input. A client that closes only its sending side looks the same, and counts as gone, too.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Any

import gevent
from gevent import socket

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

#: Key of the WSGI environment under which ``handler`` puts the connection's socket.
SOCKET_KEY = "slotline.socket"
#: Seconds between two looks at a connection that has sent more bytes than its request.
_PIPELINED_POLL_S = 0.02
#: libev's flag for waiting until there are bytes, or the end of the input.
_READ = 1


class DisconnectWatch:
    """Calls a function once if the client goes away between ``start`` and ``stop``.

    Uses watchers of the loop, which ``stop`` removes at once. A waiting greenlet would remove its watcher only at its
    next turn, perhaps after the socket was closed, and libev aborts the process if a watcher of a closed socket is
    left.

    Args:
        connection: the client's socket, or None if there is none (then nothing is ever noticed).
        on_disconnect: called in a greenlet of its own.

    Attributes:
        watcher: what the loop holds for it, None while nothing is watched.
    """

    def __init__(self, connection: socket.socket | None, on_disconnect: Callable[[], None]) -> None:
        self._connection = connection
        self._on_disconnect = on_disconnect
        self.watcher: Any = None

    def start(self) -> None:
        """Begin to watch."""
        if self._connection is not None:
            loop = gevent.get_hub().loop
            self._wait(loop.io(self._connection.fileno(), _READ))

    def stop(self) -> None:
        """Stop watching; must happen before the socket is closed. Idempotent."""
        watcher, self.watcher = self.watcher, None
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
        self.watcher = watcher
        watcher.start(self._look)

    def _look(self) -> None:
        """See what has happened; called by the loop, so nothing here may wait."""
        assert self._connection is not None
        self.stop()
        if is_gone(self._connection):
            gevent.spawn(self._on_disconnect)
        else:
            # The next request is here already, so the socket stays readable, and waiting for that would spin.
            self._wait(gevent.get_hub().loop.timer(_PIPELINED_POLL_S))


def is_gone(connection: socket.socket) -> bool:
    """Whether the other side has closed the connection, or at least its sending half."""
    poll = select.poll()
    # POLLRDHUP reports the end of the input even if unread bytes come before it.
    poll.register(connection.fileno(), select.POLLRDHUP)
    return bool(poll.poll(0))
