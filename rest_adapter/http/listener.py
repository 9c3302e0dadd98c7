"""The listening sockets, and the options that connections inherit from them."""

from __future__ import annotations

import socket as native_socket
from typing import TYPE_CHECKING

from gevent import socket

if TYPE_CHECKING:
    from collections.abc import Sequence

_BACKLOG = 1024
#: TCP keepalive: a silent connection is probed after this many seconds, then at these intervals, and is closed after
#: this many probes without an answer.
KEEPALIVE_IDLE_S = 15
KEEPALIVE_INTERVAL_S = 5
KEEPALIVE_PROBES = 3
#: A connection is closed if sent bytes stay unacknowledged for this many seconds: the host is gone, or the client does
#: not read and its buffers are full.
UNTAKEN_S = 30

#: Linux hands the options of a listener down to the sockets it accepts.
_OPTIONS = (
    (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1),
    # Otherwise an event may wait 40 ms for the client's delayed ACK of the one before.
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_PROBES),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * UNTAKEN_S),
)


def listen_at(hosts: Sequence[str], port: int) -> list[socket.socket]:
    """Bind one port at several addresses, 0 for one that is free at the first.

    Raises:
        OSError: an address is in use, or there is no such address.
    """
    listeners: list[socket.socket] = []
    try:
        for host in hosts:
            listeners.append(_listen(host, port, is_alone=len(hosts) == 1))
            port = listeners[0].getsockname()[1]
    except OSError:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def _listen(host: str, port: int, *, is_alone: bool) -> socket.socket:
    """Bind a port at one address, 0 for any free one.

    Raises:
        OSError: the address is in use, or there is no such address.
    """
    found = native_socket.getaddrinfo(host, port, type=native_socket.SOCK_STREAM, flags=native_socket.AI_PASSIVE)
    # A name may have addresses of both families. Most clients try IPv4, where llama.cpp's server listened, too.
    family, kind, protocol, _, address = min(found, key=lambda entry: entry[0] != native_socket.AF_INET)
    listener = socket.socket(family, kind, protocol)
    try:
        for level, option, value in _OPTIONS:
            listener.setsockopt(level, option, value)
        if family == native_socket.AF_INET6 and not is_alone:
            # Otherwise :: would take the port of 0.0.0.0, too.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
