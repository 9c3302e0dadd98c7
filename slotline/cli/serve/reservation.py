"""Holding on to TCP ports for a child that will listen on them."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from service.api.listen.addresses import TcpAddress, parse_address

if TYPE_CHECKING:
    from types import TracebackType


class ReservedAddress:
    """An address that a child may listen on, now and after a restart.

    The sockets are bound but never listen. Linux lets another socket listen on the same port then, provided that both
    have SO_REUSEADDR, while nobody is given the port as a free one; and binding fails if somebody listens already. So
    a busy port is found before the child is started, port 0 becomes a real one, and it stays the same when the child is
    replaced. An address that is not TCP needs none of this and is kept as it is.

    Args:
        address: ``HOST:PORT``, ``[IPV6]:PORT`` or ``unix:PATH``.

    Attributes:
        address: the same with the real port.

    Raises:
        OSError: somebody listens there, the host is unknown, or the port is not ours to take.
    """

    def __init__(self, address: str) -> None:
        self._sockets: list[socket.socket] = []
        self.address = address
        parsed = parse_address(address)
        if isinstance(parsed, TcpAddress):
            self._bind(parsed.host, parsed.port)
            self.address = f"{address.rpartition(':')[0]}:{self._sockets[0].getsockname()[1]}"

    def close(self) -> None:
        """Give the port back."""
        for held in self._sockets:
            held.close()

    def __enter__(self) -> ReservedAddress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _bind(self, host: str, port: int) -> None:
        failure: OSError | None = None
        for family, kind, protocol, _, target in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            # A name may stand for several addresses, of which a machine may have only some.
            try:
                held = socket.socket(family, kind, protocol)
            except OSError as error:
                failure = error
                continue
            try:
                held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                held.bind((target[0], port, *target[2:]))
            except OSError as error:
                held.close()
                failure = error
                continue
            self._sockets.append(held)
            port = held.getsockname()[1]
        if not self._sockets:
            raise failure or OSError(f"{host} has no address")
