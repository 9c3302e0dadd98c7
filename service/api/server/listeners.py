"""The gRPC servers of a core and the addresses they listen on.

There are two: one for unix sockets, through which only this user's programs come, and one for the network, with bounds
on connections and calls.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import grpc.aio

from service.api.listen.addresses import (
    AddressBusy,
    ListenError,
    UnixAddress,
    parse_address,
)
from service.api.listen.connections import ConnectionLimits, common_options, network_options
from service.api.listen.sockets import UnixSocketGuard, check_tcp

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

logger = logging.getLogger(__name__)


class Listeners:
    """Two gRPC servers with the same services; made on the event loop that they run on.

    Args:
        limits: bounds on what the network may hold open.
        max_receive_bytes: largest message that a client may send.
        interceptors: of both servers.
        tls: credentials of the addresses in the network; None for plain text.

    Attributes:
        servers: both of them, to add services to before ``start``.
    """

    def __init__(
        self,
        limits: ConnectionLimits,
        *,
        max_receive_bytes: int,
        interceptors: Sequence[grpc.aio.ServerInterceptor],
        tls: grpc.ServerCredentials | None = None,
    ) -> None:
        self._tls = tls
        options = common_options(limits, max_receive_bytes=max_receive_bytes)
        self._local = grpc.aio.server(interceptors=interceptors, options=options)
        self._network = grpc.aio.server(
            interceptors=interceptors,
            options=(*options, *network_options(limits)),
            maximum_concurrent_rpcs=limits.max_calls,
        )
        self.servers = (self._local, self._network)
        self._guards: list[UnixSocketGuard] = []

    async def start(self, addresses: Iterable[str], optional: Iterable[str]) -> tuple[str, ...]:
        """Listen, and return the addresses with their real ports.

        Args:
            addresses: all of them must be free.
            optional: those that are in use are left out.

        Raises:
            ListenError: an address cannot be listened on, or there is none; nothing is left behind.
        """
        try:
            bound = self._bind_all(addresses, optional)
            await self._network.start()
            await self._local.start()
            for guard in self._guards:
                guard.restrict()
        except BaseException:
            await self.close(grace_s=None)
            raise
        for address in bound:
            is_tls = self._tls is not None and not address.startswith("unix:")
            logger.info("gRPC server listening", extra={"address": address, "tls": is_tls})
        return tuple(bound)

    async def close(self, grace_s: float | None) -> None:
        """Listen no more, and cut off the calls that still run after ``grace_s``; None cuts them off at once."""
        await asyncio.gather(self._network.stop(grace_s), self._local.stop(grace_s))
        while self._guards:
            self._guards.pop().close()

    def _bind_all(self, addresses: Iterable[str], optional: Iterable[str]) -> list[str]:
        bound = [self._bind(text) for text in addresses]
        for text in optional:
            try:
                bound.append(self._bind(text))
            except AddressBusy as error:
                logger.warning("going on without a gRPC address", extra={"reason": str(error)})
        if not bound:
            raise ListenError("there is no address to listen on; give one that is free")
        return bound

    def _bind(self, text: str) -> str:
        """Bind one address and return it with its real port."""
        address = parse_address(text)
        try:
            if isinstance(address, UnixAddress):
                self._guards.append(UnixSocketGuard(address))
                self._local.add_insecure_port(str(address))
                return str(address)
            check_tcp(address)
            return str(replace(address, port=self._add_network_port(str(address))))
        except RuntimeError as error:
            raise ListenError(f"cannot listen on {address}: {error}") from error

    def _add_network_port(self, address: str) -> int:
        if self._tls is None:
            return self._network.add_insecure_port(address)
        return self._network.add_secure_port(address, self._tls)
