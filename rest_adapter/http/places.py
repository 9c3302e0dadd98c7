"""A bounded number of connections, and which one is closed for a new one when all places are taken.

A connection that has sent a whole request keeps its place until it is answered. One that has not, be it slow, idle
between two requests, or opened to take up places, is closed when a new connection needs its place; the longest waiting
goes first.
"""

from __future__ import annotations

from contextlib import suppress

from gevent import socket
from gevent.pool import Pool


class Places(Pool):
    """A pool for the greenlets of connections.

    Args:
        size: connections that may be open at once.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        # Connections without a whole request, in the order in which they began to wait for one.
        self._unfinished: dict[Place, None] = {}
        self._is_wanted = False

    def full(self) -> bool:
        """Whether all places are taken.

        The server asks when a new connection wants one, and again once one is free; so this also makes room.
        """
        if not super().full():
            return False
        self._make_room()
        return True

    def end_idle(self) -> None:
        """End the connections of which no request has begun."""
        for place in tuple(self._unfinished):
            if place.is_idle:
                place.end_input()

    def add_unfinished(self, place: Place) -> None:
        """Count a connection as waiting for a request from now on."""
        self.remove_unfinished(place)
        self._unfinished[place] = None
        if self._is_wanted:
            self._make_room()

    def remove_unfinished(self, place: Place) -> None:
        """No longer count a connection as waiting for a request. Idempotent."""
        self._unfinished.pop(place, None)

    def _make_room(self) -> None:
        """Close the connection that has waited longest; if none waits, the next that begins to."""
        oldest = next(iter(self._unfinished), None)
        self._is_wanted = oldest is None
        if oldest is not None:
            self.remove_unfinished(oldest)
            oldest.give_way()


class Place:
    """The place of one connection.

    Args:
        places: all of them.
        connection: the client's socket.

    Attributes:
        is_idle: nothing of the next request has come.
        gave_way: the connection is being closed for a new one.
    """

    def __init__(self, places: Places, connection: socket.socket) -> None:
        self._places = places
        self._connection = connection
        self.is_idle = True
        self.gave_way = False

    def await_request(self) -> None:
        """Note that the connection has been accepted, or its last request answered."""
        self.is_idle = True
        self._places.add_unfinished(self)

    def begin_request(self) -> None:
        """Note that the first bytes of a request are here."""
        self.is_idle = False

    def keep(self) -> None:
        """Note that a whole request is here, or that the connection is over: it is not closed. Idempotent."""
        self._places.remove_unfinished(self)

    def give_way(self) -> None:
        """Close the connection for a new one."""
        self.gave_way = True
        self.end_input()

    def end_input(self) -> None:
        """Make reads from the connection end, with the end of the input or an ``OSError``."""
        # The client may have left just now.
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RD)
