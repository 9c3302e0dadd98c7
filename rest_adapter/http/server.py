"""The HTTP server: a listening socket, a pool of connections, and an orderly end. It knows no application."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from gevent.pywsgi import WSGIServer

from rest_adapter.http.handler import ConnectionHandler
from rest_adapter.http.server_state import ServerState

if TYPE_CHECKING:
    from collections.abc import Callable
    from wsgiref.types import WSGIApplication

    from gevent import socket

    from rest_adapter.http.places import Places

logger = logging.getLogger(__name__)

#: After the drain time, running streams get this many seconds to tell their clients that they end.
_LAST_WORDS_S = 1.0


class HttpServer(WSGIServer):
    """pywsgi's server with time limits of our own and an orderly end.

    Args:
        listener: accepts the connections.
        application: answers their requests.
        places: where they run.
        header_timeout_s: seconds from the first byte of a request to the end of its headers; never more than
            ``io_timeout_s``.
        io_timeout_s: seconds that one read or write may take, and a request until all of it has come.
    """

    # If it accepted several connections at once, it would ask for places without knowing whether they are needed.
    max_accept = 1

    def __init__(
        self,
        listener: socket.socket,
        application: WSGIApplication,
        *,
        places: Places,
        header_timeout_s: float,
        io_timeout_s: float,
    ) -> None:
        super().__init__(
            listener,
            application,
            spawn=places,
            log=None,
            error_log=logger,
            # Set, so that pywsgi does not ask a name server for our name.
            environ={"SERVER_NAME": listener.getsockname()[0]},
        )
        self._state = ServerState(places, min(header_timeout_s, io_timeout_s), io_timeout_s)

    def handle(self, sock: socket.socket, address: Any) -> None:
        """Serve one connection until it ends."""
        ConnectionHandler(sock, address, self, self._state).handle()

    def drain(self, timeout_s: float, end_generations: Callable[[], None]) -> None:
        """Close the listener and idle connections, wait for the others, then end them.

        Args:
            timeout_s: seconds that running requests get.
            end_generations: called when they are over.
        """
        places = self._state.places
        self._state.is_draining = True
        self.close()
        places.end_idle()
        if not places.join(timeout=timeout_s):
            end_generations()
            places.join(timeout=_LAST_WORDS_S)
            places.kill(timeout=_LAST_WORDS_S)
