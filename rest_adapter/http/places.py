"""The places for connections: how many there are, and who gives way when all are taken.

Whoever has sent a whole request keeps its place until it is answered. Whoever has not, be it slow, idle between two
requests, or out to take all places, gives way to somebody new, the one that has waited longest first.
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
        # Those without a whole request, in the order in which they began to wait for one.
        self._unfinished: dict[Place, None] = {}
        self._is_wanted = False

    def full(self) -> bool:
        """Whether all places are taken.

        The server asks when somebody wants one, and again once one is free. So room is made, or will be.
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
        """Count a connection as one that waits for a request since now."""
        self.remove_unfinished(place)
        self._unfinished[place] = None
        if self._is_wanted:
            self._make_room()

    def remove_unfinished(self, place: Place) -> None:
        """Count it no more. Idempotent."""
        self._unfinished.pop(place, None)

    def _make_room(self) -> None:
        """Let the connection go that has waited longest; if all have whole requests, the next that has none."""
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
        is_idle: nothing has come of the next request.
        gave_way: the connection is being ended in favour of another.
    """

    def __init__(self, places: Places, connection: socket.socket) -> None:
        self._places = places
        self._connection = connection
        self.is_idle = True
        self.gave_way = False

    def await_request(self) -> None:
        """The connection has been accepted, or its last request answered."""
        self.is_idle = True
        self._places.add_unfinished(self)

    def begin_request(self) -> None:
        """The first bytes of a request are here."""
        self.is_idle = False

    def keep(self) -> None:
        """A whole request is here, or the connection is over: it does not give way. Idempotent."""
        self._places.remove_unfinished(self)

    def give_way(self) -> None:
        """End the connection in favour of another."""
        self.gave_way = True
        self.end_input()

    def end_input(self) -> None:
        """Let whoever reads the connection find the end of its input, or an ``OSError``."""
        # The client may have left just now.
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RD)
