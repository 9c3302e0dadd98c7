"""The HTTP server: a listening socket, a pool of connections, and an orderly end."""

from __future__ import annotations

import logging
import resource
from typing import TYPE_CHECKING

from gevent.event import Event
from gevent.pywsgi import WSGIServer
from grpc import StatusCode

from rest_adapter.app import create_app
from rest_adapter.core.client import CoreClient
from rest_adapter.errors import RpcFailure
from rest_adapter.http.handler import ConnectionHandler
from rest_adapter.http.listener import listen
from rest_adapter.http.memory import return_large_blocks
from rest_adapter.http.origins import is_loopback
from rest_adapter.http.places import Places

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask
    from gevent import socket

    from rest_adapter.config import RestConfig

logger = logging.getLogger(__name__)

# Files other than connections: the listener, the channel to the core, logs, files being served.
_RESERVED_FILES = 64
# After the drain time is over, running streams get this long to tell their clients so.
_LAST_WORDS_S = 1.0


class RestServer:
    """An adapter that listens. Make and use it in the thread of one gevent hub.

    The port is bound and clients can connect as soon as this exists; they are answered after ``start``.

    Raises:
        OSError: the address is in use, or there is no such address.
    """

    def __init__(self, config: RestConfig) -> None:
        return_large_blocks()
        self._config = config
        self._listener = listen(config.host, config.port)
        host, port = self._listener.getsockname()[:2]
        self._address = (str(host), int(port))
        self._warn_of_options_without_effect()
        self._core = CoreClient(config.core, api_key=config.core_api_key)
        connections = _connection_limit(config.max_connections)
        self._server = HttpServer(
            self._listener,
            create_app(
                self._core,
                config,
                max_generations=max(1, connections - connections // 8),
                is_loopback=is_loopback(self._address[0]),
            ),
            places=Places(connections),
            header_timeout_s=config.header_timeout_s,
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

    def _warn_of_options_without_effect(self) -> None:
        config = self._config
        if config.cors_origins and config.api_keys:
            logger.warning("--cors-origins has no effect: with API keys, pages of every origin may use the server")
        if config.allowed_hosts and (config.api_keys or not is_loopback(self._address[0])):
            logger.warning("--allowed-hosts has no effect: with API keys, or where others reach the server, all may")

    def _end_calls(self) -> None:
        self._core.end_calls(RpcFailure(StatusCode.UNAVAILABLE, "DRAINING", "the server is shutting down"))


class HttpServer(WSGIServer):
    """pywsgi's server, but one with limits of time of its own, and that can say that it is draining.

    Args:
        listener: accepts the connections.
        application: answers their requests.
        places: where they run.
        header_timeout_s: seconds from the first byte of a request to the end of its headers.
        io_timeout_s: seconds that one read or write may take, and a request until all of it has come.
    """

    # With more at once, it would ask for a place without knowing whether somebody wants it.
    max_accept = 1

    def __init__(
        self,
        listener: socket.socket,
        application: Flask,
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
            handler_class=ConnectionHandler,
            # Set, so that pywsgi does not ask a name server for our name.
            environ={"SERVER_NAME": listener.getsockname()[0]},
        )
        self.places = places
        self.header_timeout_s = min(header_timeout_s, io_timeout_s)
        self.io_timeout_s = io_timeout_s
        self.is_draining = False

    def drain(self, timeout_s: float, end_generations: Callable[[], None]) -> None:
        """Close the listener and idle connections, wait for the others, then end them.

        Args:
            timeout_s: seconds that running requests get.
            end_generations: called when they are over.
        """
        self.is_draining = True
        self.close()
        self.places.end_idle()
        if not self.places.join(timeout=timeout_s):
            end_generations()
            self.places.join(timeout=_LAST_WORDS_S)
            self.places.kill(timeout=_LAST_WORDS_S)


def _connection_limit(wanted: int) -> int:
    """As many connections as wanted, or as the limit of open files leaves room for."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY or files - _RESERVED_FILES >= wanted:
        return wanted
    limit = max(1, files - _RESERVED_FILES)
    logger.warning("fewer connections than configured", extra={"connections": limit, "open_files_limit": files})
    return limit
