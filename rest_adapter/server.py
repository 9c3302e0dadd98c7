"""The HTTP server: a listening socket, a pool of connections, and an orderly end."""

from __future__ import annotations

import logging
import resource
import socket as native_socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from flask import Flask
from gevent import socket
from gevent.event import Event
from gevent.pool import Pool
from gevent.pywsgi import WSGIServer
from grpc import StatusCode

from rest_adapter.app import create_app
from rest_adapter.config import RestConfig
from rest_adapter.core_client import CoreClient
from rest_adapter.errors import RpcFailure
from rest_adapter.handler import ConnectionHandler

logger = logging.getLogger(__name__)

# Files other than connections: the listener, the channel to the core, logs, files being served.
_RESERVED_FILES = 64
_BACKLOG = 1024
# After the drain time is over, running streams get this long to tell their clients so.
_LAST_WORDS_S = 1.0


class RestServer:
    """An adapter that listens. Make and use it in the thread of one gevent hub.

    The port is bound and clients can connect as soon as this exists; they are answered after ``start``.

    Raises:
        OSError: the address is in use, or there is no such address.
    """

    def __init__(self, config: RestConfig) -> None:
        self._config = config
        self._listener = _listen(config.host, config.port)
        host, port = self._listener.getsockname()[:2]
        self._address = (str(host), int(port))
        self._core = CoreClient(config.core, api_key=config.core_api_key)
        connections = _connection_limit(config.max_connections)
        self._server = HttpServer(
            self._listener,
            create_app(self._core, config, max_generations=max(1, connections - connections // 8)),
            pool=Pool(connections),
            io_timeout_s=config.timeout_s,
        )
        self._stopped = Event()

    @property
    def address(self) -> tuple[str, int]:
        """Where the server listens: host and real port."""
        return self._address

    @property
    def core(self) -> CoreClient:
        """The core that the routes call."""
        return self._core

    def start(self) -> None:
        """Start to answer; returns at once."""
        self._server.start()

    def stop(self, timeout_s: float | None = None) -> None:
        """Take no new connections, let running requests finish, and return when none is left. Idempotent.

        Args:
            timeout_s: seconds that running requests get, by default the configured drain time. Generations that run
                longer end with an error that says so.
        """
        self._server.drain(self._config.drain_timeout_s if timeout_s is None else timeout_s, self._end_calls)
        self._core.close()
        self._stopped.set()

    def join(self) -> None:
        """Wait until the server has been stopped."""
        self._stopped.wait()

    def _end_calls(self) -> None:
        self._core.end_calls(RpcFailure(StatusCode.UNAVAILABLE, "DRAINING", "the server is shutting down"))


class HttpServer(WSGIServer):
    """pywsgi's server, but one that can say that it is draining, and that knows which connections are idle."""

    def __init__(self, listener: socket.socket, application: Flask, *, pool: Pool, io_timeout_s: float) -> None:
        super().__init__(
            listener,
            application,
            spawn=pool,
            log=None,
            error_log=logger,
            handler_class=ConnectionHandler,
            # Set, so that pywsgi does not ask a name server for our name.
            environ={"SERVER_NAME": listener.getsockname()[0]},
        )
        self.connections = pool
        self.io_timeout_s = io_timeout_s
        self.is_draining = False
        self._idle: set[socket.socket] = set()

    def drain(self, timeout_s: float, end_generations: Callable[[], None]) -> None:
        """Close the listener and idle connections, wait for the others, then end them.

        Args:
            timeout_s: seconds that running requests get.
            end_generations: called when they are over.
        """
        self.is_draining = True
        self.close()
        for connection in tuple(self._idle):
            # The handler reads the end of the input, as if the client had closed, and leaves. The client may really
            # have closed just now.
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        if not self.connections.join(timeout=timeout_s):
            end_generations()
            self.connections.join(timeout=_LAST_WORDS_S)
            self.connections.kill(timeout=_LAST_WORDS_S)

    @contextmanager
    def idle(self, connection: socket.socket) -> Iterator[None]:
        """While a connection waits for a request."""
        self._idle.add(connection)
        try:
            yield
        finally:
            self._idle.discard(connection)


def _listen(host: str, port: int) -> socket.socket:
    found = native_socket.getaddrinfo(host, port, type=native_socket.SOCK_STREAM, flags=native_socket.AI_PASSIVE)
    # Clients that were told a name usually try IPv4, and the reference listened there.
    family, kind, protocol, _, address = min(found, key=lambda entry: entry[0] != native_socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted connections inherit it. Without, the first token waits 40 ms for the client's delayed ACK, because
        # pywsgi sends the headers by themselves.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _connection_limit(wanted: int) -> int:
    """As many connections as wanted, or as the limit of open files leaves room for."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY or files - _RESERVED_FILES >= wanted:
        return wanted
    limit = max(1, files - _RESERVED_FILES)
    logger.warning("fewer connections than configured", extra={"connections": limit, "open_files_limit": files})
    return limit
