"""The listening socket, and the options that connections inherit from it."""

from __future__ import annotations

import socket as native_socket

from gevent import socket

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


def listen(host: str, port: int) -> socket.socket:
    """Bind a port, 0 for any free one.

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
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
