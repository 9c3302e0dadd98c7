"""API keys on gRPC: with any key set, every call must present one.

No listener is exempt, not even a private one: a process that shares our socket's directory presents a key as well, so
that nothing hangs on telling connections apart. On a unix socket gRPC would not say by which path a peer came.
"""

from __future__ import annotations

import hmac
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any

import grpc.aio

from service.api.rpc.call import RpcCall
from service.errors import Unauthenticated

logger = logging.getLogger(__name__)

METADATA_KEY = "authorization"
API_KEY_METADATA_KEY = "x-api-key"
Metadata = Iterable[tuple[str, str | bytes]]
#: Probes of load balancers and containers have no keys; this service tells nothing but a state.
OPEN_PREFIX = "/grpc.health.v1.Health/"
# The scheme may be written in any case, and followed by any number of blanks.
_BEARER = re.compile(rb"bearer +(.*)", re.IGNORECASE | re.DOTALL)

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
        """The handler of a call that may go on, else one that refuses."""
        method: str = handler_call_details.method
        if method.startswith(OPEN_PREFIX) or self._is_valid(handler_call_details.invocation_metadata):
            return await continuation(handler_call_details)
        return _refusal(method)

    def _is_valid(self, metadata: Metadata | None) -> bool:
        presented = presented_key(metadata)
        if presented is None:
            return False
        # All of them every time: how long it takes must not tell which one it was.
        return sum([hmac.compare_digest(presented, key) for key in self._keys]) > 0


def presented_key(metadata: Metadata | None) -> bytes | None:
    """The key that a call presents, right or wrong; None if it presents none, or several."""
    pairs = tuple(metadata or ())
    authorizations, api_keys = (_values(pairs, name) for name in (METADATA_KEY, API_KEY_METADATA_KEY))
    if len(authorizations) > 1 or len(api_keys) > 1:
        return None
    return key_in(next(iter(authorizations), None), next(iter(api_keys), None))


def key_in(authorization: bytes | None, api_key: bytes | None) -> bytes | None:
    """The key in the values of ``authorization`` and ``x-api-key``, right or wrong; None if there is none.

    The second counts if the first is missing or of another scheme, such as a proxy's own. The REST adapter reads its
    headers in the same way.
    """
    found = None if authorization is None else _BEARER.fullmatch(authorization.strip(b" "))
    if found is not None:
        return found[1]
    return None if api_key is None else api_key.strip(b" ")


def _values(metadata: Metadata, name: str) -> list[bytes]:
    values = (value for key, value in metadata if key == name)
    return [value if isinstance(value, bytes) else value.encode(errors="replace") for value in values]


def _refusal(method: str) -> _Handler:
    """A handler that refuses calls of any kind: one for streams in both directions reads nothing by itself."""

    async def refuse(requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext[Any, Any]) -> None:
        logger.warning("Unauthorized: Invalid API Key", extra={"method": method, "peer": context.peer()})
        async with RpcCall(method, context):
            raise Unauthenticated(
                f"metadata {METADATA_KEY}: is missing or holds no valid API key; allowed is "
                f'"Bearer KEY" with a key of this server, or {API_KEY_METADATA_KEY} with a key without it'
            )

    return grpc.stream_stream_rpc_method_handler(refuse)
