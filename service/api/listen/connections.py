"""Bounds on connections and calls, and how dead peers are found.

Whoever connects to one of our unix sockets is one of our own processes, such as the adapter, which makes all its calls
over one connection. So the bounds concern the network alone, whose addresses have a gRPC server of their own.
"""

from __future__ import annotations

import logging
import resource
from dataclasses import dataclass, replace

logger = logging.getLogger(__name__)

#: Open files other than connections: the library, the model, template workers, gRPC's own, logs. 19 were open before
#: the first connection.
RESERVED_FILES = 48
#: If few files may be open, idle connections are closed after this many seconds to make room for others.
SHORT_S = 5.0

Options = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Bounds on what the network may hold open.

    Attributes:
        max_connections: of one address; further ones are closed at once.
        max_streams: concurrent calls on one connection; further ones wait at the client.
        max_calls: concurrent calls on all connections; further ones are refused by gRPC.
        handshake_s: time for a new connection to speak HTTP/2.
        idle_s: time that a connection may be without a call; gRPC clients reconnect by themselves.
        age_s: time after which clients are asked for another connection, so that they find new addresses; calls go on
            for as long as they take.
        ping_s: time that a connection may be silent before it is pinged.
        ping_timeout_s: time for the answer, and for acknowledging what was sent.
    """

    max_connections: int = 1024
    max_streams: int = 1024
    max_calls: int = 4096
    handshake_s: float = 10.0
    idle_s: float = 300.0
    age_s: float = 300.0
    ping_s: float = 30.0
    ping_timeout_s: float = 20.0

    def with_requests(self, n_requests: int) -> ConnectionLimits:
        """The same with room for ``n_requests`` calls more: those that run or wait, whose number the queue bounds."""
        return replace(self, max_streams=self.max_streams + n_requests, max_calls=self.max_calls + n_requests)

    def within_files(self, n_addresses: int) -> ConnectionLimits:
        """The same, reduced to what the limit on open files allows with this number of addresses."""
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        room = max(1, (files - RESERVED_FILES) // max(1, n_addresses))
        if files == resource.RLIM_INFINITY or room >= self.max_connections:
            return self
        logger.warning("fewer gRPC connections than usual", extra={"connections": room, "open_files_limit": files})
        return replace(
            self,
            max_connections=room,
            handshake_s=min(self.handshake_s, SHORT_S),
            idle_s=min(self.idle_s, SHORT_S),
        )


def common_options(limits: ConnectionLimits, *, max_receive_bytes: int) -> Options:
    """Options of every gRPC server."""
    return (
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", max_receive_bytes),
        ("grpc.max_send_message_length", -1),
        # Find peers that vanished without a word, so that their slots become free. The first timeout becomes
        # TCP_USER_TIMEOUT; that of unanswered pings is the second one, which is a minute without it.
        ("grpc.keepalive_time_ms", _ms(limits.ping_s)),
        ("grpc.keepalive_timeout_ms", _ms(limits.ping_timeout_s)),
        ("grpc.http2.ping_timeout_ms", _ms(limits.ping_timeout_s)),
        ("grpc.http2.max_pings_without_data", 0),
        # Let clients do the same.
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    )


def network_options(limits: ConnectionLimits) -> Options:
    """Further options of the server for the network."""
    return (
        ("grpc.max_allowed_incoming_connections", limits.max_connections),
        ("grpc.max_concurrent_streams", limits.max_streams),
        ("grpc.server_handshake_timeout_ms", _ms(limits.handshake_s)),
        ("grpc.max_connection_idle_ms", _ms(limits.idle_s)),
        # Ends no call: without a grace of its own, running ones have as much time as they want.
        ("grpc.max_connection_age_ms", _ms(limits.age_s)),
    )


def _ms(seconds: float) -> int:
    return round(1000 * seconds)
