"""HTTP servers: listening sockets, a pool of connections, and an orderly end. They know no application."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from gevent.pywsgi import WSGIServer

from rest_adapter.http.handler import ConnectionHandler

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from wsgiref.types import WSGIApplication

    from gevent import socket

    from rest_adapter.http.server_state import ServerState

logger = logging.getLogger(__name__)

#: After the drain time, running streams get this many seconds to tell their clients that they end.
_LAST_WORDS_S = 1.0


class HttpServer(WSGIServer):
    """pywsgi's server with time limits of our own.

    Args:
        listener: accepts the connections.
        application: answers their requests.
        state: what it shares with servers of the same application at other addresses.
    """

    # If it accepted several connections at once, it would ask for places without knowing whether they are needed.
    max_accept = 1

    def __init__(self, listener: socket.socket, application: WSGIApplication, state: ServerState) -> None:
        super().__init__(
            listener,
            application,
            spawn=state.places,
            log=None,
            error_log=logger,
            # Set, so that pywsgi does not ask a name server for our name.
            environ={"SERVER_NAME": listener.getsockname()[0]},
        )
        self._state = state

    def handle(self, sock: socket.socket, address: Any) -> None:
        """Serve one connection until it ends."""
        ConnectionHandler(sock, address, self, self._state).handle()


def drain(
    servers: Sequence[HttpServer], state: ServerState, timeout_s: float, end_generations: Callable[[], None]
) -> None:
    """Close the listeners and idle connections, wait for the others, then end them.

    Args:
        servers: all that share the state.
        state: what they share.
        timeout_s: seconds that running requests get.
        end_generations: called when they are over.
    """
    places = state.places
    state.is_draining = True
    for server in servers:
        server.close()
    places.end_idle()
    if not places.join(timeout=timeout_s):
        end_generations()
        places.join(timeout=_LAST_WORDS_S)
        places.kill(timeout=_LAST_WORDS_S)
