"""API keys on gRPC: with any key set, every call must present one.

No listener is exempt, not even a unix socket: gRPC does not tell by which listener a call came, so a process that can
reach our socket presents a key like any other.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

import grpc.aio

from service.api.rpc.call import RpcCall
from service.errors import Unauthenticated
from slotline.protocol.api_keys import is_one_of, key_in
from slotline.protocol.metadata import API_KEY, AUTHORIZATION

logger = logging.getLogger(__name__)

Metadata = Iterable[tuple[str, str | bytes]]
#: Load balancers and containers probe without a key; this service tells nothing but a state.
OPEN_PREFIX = "/grpc.health.v1.Health/"

if TYPE_CHECKING:
    _Handler = grpc.RpcMethodHandler[Any, Any]
    _Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[_Handler | None]]


class ApiKeyInterceptor(grpc.aio.ServerInterceptor):
    """Ends calls without a valid key as UNAUTHENTICATED, before any of their messages is read.

    Args:
        keys: each of them is valid; there must be one.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = tuple(key.encode() for key in keys)

    async def intercept_service(
        self, continuation: _Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> _Handler | None:
        """The handler of a call with a valid key; for others one that refuses."""
        method: str = handler_call_details.method
        if method.startswith(OPEN_PREFIX) or self._is_valid(handler_call_details.invocation_metadata):
            return await continuation(handler_call_details)
        return _refusal(method)

    def _is_valid(self, metadata: Metadata | None) -> bool:
        presented = presented_key(metadata)
        return presented is not None and is_one_of(presented, self._keys)


def presented_key(metadata: Metadata | None) -> bytes | None:
    """The key that a call presents, right or wrong; None if it presents none, or several."""
    pairs = tuple(metadata or ())
    authorizations, api_keys = (_values(pairs, name) for name in (AUTHORIZATION, API_KEY))
    if len(authorizations) > 1 or len(api_keys) > 1:
        return None
    return key_in(next(iter(authorizations), None), next(iter(api_keys), None))


def _values(metadata: Metadata, name: str) -> list[bytes]:
    values = (value for key, value in metadata if key == name)
    return [value if isinstance(value, bytes) else value.encode(errors="replace") for value in values]


def _refusal(method: str) -> _Handler:
    """A handler that refuses calls of any kind: one for streams in both directions reads nothing by itself."""

    async def refuse(requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext[Any, Any]) -> None:
        logger.warning("Unauthorized: Invalid API Key", extra={"method": method, "peer": context.peer()})
        async with RpcCall(method, context):
            raise Unauthenticated(
                f"metadata {AUTHORIZATION}: is missing or holds no valid API key; allowed is "
                f'"Bearer KEY" with a key of this server, or {API_KEY} with a key without it'
            )

    return grpc.stream_stream_rpc_method_handler(refuse)
