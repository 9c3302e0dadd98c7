"""The listening socket, and what the sockets of its connections have from it."""

from __future__ import annotations

import socket as native_socket

from gevent import socket

_BACKLOG = 1024
# A connection over which nothing goes is asked for a sign of life after this many seconds, then at these intervals, and
# is over after this many answers that did not come.
KEEPALIVE_IDLE_S = 15
KEEPALIVE_INTERVAL_S = 5
KEEPALIVE_PROBES = 3
# A connection is over if what was sent has not been taken for this long: the host is gone, or the client does not read
# and its buffers are full.
UNTAKEN_S = 30

# Linux hands the options of a listener down to the sockets it accepts.
_OPTIONS = (
    (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1),
    # Without, the first token waits 40 ms for the client's delayed ACK, because pywsgi sends the headers by themselves.
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
    # Clients that were told a name usually try IPv4, and the reference listened there.
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
