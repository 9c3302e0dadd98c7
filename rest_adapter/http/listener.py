"""The listening sockets, and the options that connections inherit from them."""

from __future__ import annotations

import socket as native_socket
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

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


@dataclass(frozen=True, slots=True)
class _Address:
    """One to listen at.

    Attributes:
        host: as it was asked for.
        family: of the socket.
        found: as a socket of this family takes it, with the port.
    """

    host: str = field(compare=False)
    family: native_socket.AddressFamily
    found: tuple[Any, ...]

    def with_port(self, port: int) -> tuple[Any, ...]:
        """As a socket takes it, with another port."""
        return (self.found[0], port, *self.found[2:])


def listen_at(hosts: Sequence[str], port: int, *, shares_port: bool = False) -> list[socket.socket]:
    """Bind one port at several addresses, 0 for one that is free at the first; of the same address only one.

    Args:
        hosts: the addresses, or names of them.
        port: the port.
        shares_port: other sockets of the same user may have the same addresses and port, if they share them, too;
            Linux gives each new connection to one of them.

    Raises:
        OSError: an address is in use, or there is no such address; its ``filename`` is the host.
    """
    addresses = list(dict.fromkeys(_resolved(host, port) for host in hosts))
    with ExitStack() as bound:
        listeners: list[socket.socket] = []
        for address in addresses:
            listeners.append(
                bound.enter_context(_listen(address, port, is_alone=len(addresses) == 1, shares_port=shares_port))
            )
            port = listeners[0].getsockname()[1]
        bound.pop_all()
    return listeners


def _resolved(host: str, port: int) -> _Address:
    """The address of a host.

    Raises:
        OSError: there is no such address.
    """
    try:
        found = native_socket.getaddrinfo(host, port, type=native_socket.SOCK_STREAM, flags=native_socket.AI_PASSIVE)
    except UnicodeError:
        # What can be no name, such as a..b, is not even looked up.
        raise OSError(native_socket.EAI_NONAME, "Name or service not known", host) from None
    except OSError as error:
        raise _of_host(error, host) from None
    # A name may have addresses of both families. Most clients try IPv4, where llama.cpp's server listened, too.
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != native_socket.AF_INET)
    return _Address(host, family, address)


def _listen(address: _Address, port: int, *, is_alone: bool, shares_port: bool) -> socket.socket:
    """Bind a port at one address, 0 for any free one.

    Raises:
        OSError: the address is in use, or is not one of this machine.
    """
    with ExitStack() as opened:
        listener = opened.enter_context(socket.socket(address.family, socket.SOCK_STREAM))
        for level, option, value in _OPTIONS:
            listener.setsockopt(level, option, value)
        if shares_port:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if address.family == native_socket.AF_INET6 and not is_alone:
            # Otherwise :: would take the port of 0.0.0.0, too.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            listener.bind(address.with_port(port))
            listener.listen(_BACKLOG)
        except OSError as error:
            raise _of_host(error, address.host) from None
        opened.pop_all()
    return listener


def _of_host(error: OSError, host: str) -> OSError:
    return OSError(error.errno, error.strerror, host)
