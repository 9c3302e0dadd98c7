"""A whole REST adapter: the core's client, the application and the HTTP server, put together, started and stopped."""

from __future__ import annotations

import logging
import resource
from typing import TYPE_CHECKING

from gevent.event import Event
from grpc import StatusCode

from rest_adapter.app import create_app
from rest_adapter.core.client import CoreClient
from rest_adapter.core.tls import CoreTls
from rest_adapter.errors import RpcFailure
from rest_adapter.http.listener import listen_at
from rest_adapter.http.memory import return_large_blocks
from rest_adapter.http.origins import LOCALHOST, is_loopback
from rest_adapter.http.places import Places
from rest_adapter.http.server import HttpServer, drain
from rest_adapter.http.server_state import ServerState
from slotline.protocol import reasons

if TYPE_CHECKING:
    from gevent import socket

    from rest_adapter.config import RestConfig

logger = logging.getLogger(__name__)

#: Files besides connections: listeners, the channel to the core, logs, files being served.
_RESERVED_FILES = 64


class RestServer:
    """A REST adapter. Make and use it in the thread of one gevent hub.

    The ports are bound and clients can connect as soon as this exists; they are answered after ``start``.

    Raises:
        OSError: an address is in use, or there is no such address.
    """

    def __init__(self, config: RestConfig) -> None:
        return_large_blocks()
        self._config = config
        listeners = listen_at(config.hosts, config.port, shares_port=config.reuse_port)
        self._addresses = tuple(_address(listener) for listener in listeners)
        self._is_loopback = all(is_loopback(host) for host, _ in self._addresses)
        self._warn_of_options_without_effect()
        self._core = CoreClient(config.core, api_key=config.core_api_key, tls=CoreTls.of(config))
        connections = _connection_limit(config.max_connections)
        app = create_app(
            self._core,
            config,
            max_generations=max(1, connections - connections // 8),
            is_loopback=self._is_loopback,
        )
        header_timeout_s = min(config.header_timeout_s, config.timeout_s)
        self._state = ServerState(Places(connections), header_timeout_s, config.timeout_s)
        self._servers = [HttpServer(listener, app, self._state) for listener in listeners]
        self._stopped = Event()

    @property
    def address(self) -> tuple[str, int]:
        """Where the server listens, the first of its addresses: host and real port."""
        return self._addresses[0]

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """All of them."""
        return self._addresses

    @property
    def core(self) -> CoreClient:
        """The core that the routes call."""
        return self._core

    def start(self) -> None:
        """Start to answer; returns at once."""
        for server in self._servers:
            server.start()

    def stop(self, timeout_s: float | None = None) -> None:
        """Take no new connections, let running requests finish, and return when none is left. Idempotent.

        Args:
            timeout_s: seconds that running requests get, by default the configured drain time. Generations that run
                longer end with an error that says so.
        """
        drain_s = self._config.drain_timeout_s if timeout_s is None else timeout_s
        drain(self._servers, self._state, drain_s, self._end_calls)
        self._core.close()
        self._stopped.set()

    def join(self) -> None:
        """Wait until the server has been stopped."""
        self._stopped.wait()

    def _warn_of_options_without_effect(self) -> None:
        config = self._config
        if config.cors_origins and config.api_keys and LOCALHOST not in config.cors_origins:
            logger.warning("--cors-origins has no effect: with API keys, pages of every origin may use the server")
        if config.allowed_hosts and (config.api_keys or not self._is_loopback):
            logger.warning("--allowed-hosts has no effect: with API keys, or where others reach the server, all may")

    def _end_calls(self) -> None:
        self._core.end_calls(RpcFailure(StatusCode.UNAVAILABLE, reasons.DRAINING, "the server is shutting down"))


def _address(listener: socket.socket) -> tuple[str, int]:
    host, port = listener.getsockname()[:2]
    return str(host), int(port)


def _connection_limit(wanted: int) -> int:
    """The number of connections wanted, or the number that the limit of open files leaves room for."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY or files - _RESERVED_FILES >= wanted:
        return wanted
    limit = max(1, files - _RESERVED_FILES)
    logger.warning("fewer connections than configured", extra={"connections": limit, "open_files_limit": files})
    return limit
