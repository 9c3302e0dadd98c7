"""Refuses requests that cannot be decoded as INVALID_ARGUMENT, with one line in the log.

By itself gRPC calls the deserializer before the handler, and ends the call as UNKNOWN with a traceback if that raises.
Here handlers get the bytes, and decoding is part of the handler. They are wrapped once, when services are added to a
server: an interceptor would do it again for every call.
"""

from __future__ import annotations

import inspect
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

import grpc.aio
from google.protobuf.message import DecodeError

from service.api.rpc.call import RpcCall
from service.errors import InvalidArgument

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    _Handler = grpc.RpcMethodHandler[Any, Any]
    _Context = grpc.aio.ServicerContext[Any, Any]


def decoding(server: grpc.aio.Server) -> grpc.aio.Server:
    """What services are added to in place of ``server``, so that undecodable requests end as INVALID_ARGUMENT.

    It takes handlers, and can do nothing else.
    """
    return cast("grpc.aio.Server", _DecodingServer(server))


class _DecodingServer:
    """Passes handlers on to a server, wrapped so that they decode what they get."""

    def __init__(self, server: grpc.aio.Server) -> None:
        self._server = server

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Add handlers that are found by the name of the method."""
        self._server.add_generic_rpc_handlers(tuple(_DecodingHandlers(one) for one in generic_rpc_handlers))

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, _Handler]) -> None:
        """Give methods that stream answers a queue of new calls of their own; the others share one.

        For each call that begins, gRPC's event loop goes over all queues twice: one for each of a dozen methods takes
        a twelfth of a short call. Streams have their own because they come in bursts, which health checks and the like
        must not wait for.
        """
        streams = {
            name: _wrapped(f"/{service_name}/{name}", handler)
            for name, handler in method_handlers.items()
            if handler.response_streaming
        }
        self._server.add_registered_method_handlers(service_name, streams)


class _DecodingHandlers(grpc.GenericRpcHandler):
    """Handlers by the names of their methods, each of them wrapped once."""

    def __init__(self, handlers: grpc.GenericRpcHandler) -> None:
        self._handlers = handlers
        self._wrapped: dict[str, _Handler] = {}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> _Handler | None:
        """The handler of a call, None if the method is not known."""
        method = handler_call_details.method
        wrapped = self._wrapped.get(method)
        if wrapped is None:
            handler = self._handlers.service(handler_call_details)
            if handler is None:
                return None
            wrapped = self._wrapped[method] = _wrapped(method, handler)
        return wrapped


def _wrapped(method: str, handler: _Handler) -> _Handler:
    """The handler of a method, wrapped so that it decodes its messages."""
    if handler.request_deserializer is None:
        return handler
    decoder = _Decoder(method, handler.request_deserializer)
    serializer = handler.response_serializer
    if handler.unary_unary is not None:
        return grpc.unary_unary_rpc_method_handler(decoder.of_one(handler.unary_unary), response_serializer=serializer)
    if handler.unary_stream is not None:
        behavior: Any = handler.unary_stream
        wrap: Any = decoder.of_one_for_many if inspect.isasyncgenfunction(behavior) else decoder.of_one
        return grpc.unary_stream_rpc_method_handler(wrap(behavior), response_serializer=serializer)
    if handler.stream_stream is not None:
        return grpc.stream_stream_rpc_method_handler(
            decoder.of_many(handler.stream_stream), response_serializer=serializer
        )
    return handler


class _Decoder:
    """Wraps the handlers of one method so that they decode what they get."""

    def __init__(self, method: str, deserialize: Callable[[bytes], Any]) -> None:
        self._method = method
        self._deserialize = deserialize

    def of_one(self, behavior: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def decoded(data: bytes, context: _Context) -> Any:
            return await behavior(await self._decode(data, context), context)

        return decoded

    def of_one_for_many(self, behavior: Callable[..., Any]) -> Callable[..., Awaitable[None]]:
        async def decoded(data: bytes, context: _Context) -> None:
            # Nobody but the generator holds the request, which may let go of large parts of it.
            # However this ends, the generator must end with it: it holds a slot.
            async with aclosing(behavior(await self._decode(data, context), context)) as responses:
                async for response in responses:
                    await context.write(response)

        return decoded

    def of_many(self, behavior: Callable[..., Any]) -> Callable[..., AsyncIterator[Any]]:
        async def requests(data: AsyncIterator[bytes], context: _Context) -> AsyncIterator[Any]:
            async for one in data:
                yield await self._decode(one, context)

        async def decoded(data: AsyncIterator[bytes], context: _Context) -> AsyncIterator[Any]:
            async with aclosing(behavior(requests(data, context), context)) as responses:
                async for response in responses:
                    yield response

        return decoded

    async def _decode(self, data: bytes, context: _Context) -> Any:
        try:
            return self._deserialize(data)
        except DecodeError as error:
            reason = str(error)
        logger.warning(
            "a message cannot be decoded",
            extra={"method": self._method, "peer": context.peer(), "n_bytes": len(data), "reason": reason},
        )
        async with RpcCall(self._method, context):
            raise InvalidArgument(
                "request",
                f"is no message of {self._method}: its {len(data)} bytes cannot be decoded; allowed is protobuf with "
                "texts in UTF-8, nested at most 100 deep",
            )
