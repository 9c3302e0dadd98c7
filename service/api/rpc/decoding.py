"""Refuses requests that cannot be decoded as INVALID_ARGUMENT, with one line in the log.

By itself gRPC calls the deserializer before the handler, and ends the call as UNKNOWN with a traceback if that raises.
Here handlers get the bytes, and decoding is part of the handler.
"""

from __future__ import annotations

import inspect
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import grpc.aio
from google.protobuf.message import DecodeError

from service.api.rpc.call import RpcCall
from service.errors import InvalidArgument

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    _Handler = grpc.RpcMethodHandler[Any, Any]
    _Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[_Handler | None]]
    _Context = grpc.aio.ServicerContext[Any, Any]


class DecodingInterceptor(grpc.aio.ServerInterceptor):
    """Ends calls whose bytes cannot be decoded as INVALID_ARGUMENT."""

    async def intercept_service(
        self, continuation: _Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> _Handler | None:
        """The handler of a call, wrapped so that it decodes its messages."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_deserializer is None:
            return handler
        decoder = _Decoder(handler_call_details.method, handler.request_deserializer)
        serializer = handler.response_serializer
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(
                decoder.of_one(handler.unary_unary), response_serializer=serializer
            )
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

    def of_one_for_many(self, behavior: Callable[..., Any]) -> Callable[..., AsyncIterator[Any]]:
        async def decoded(data: bytes, context: _Context) -> AsyncIterator[Any]:
            request = await self._decode(data, context)
            # However this generator ends, the inner one must end with it: it holds a slot.
            async with aclosing(behavior(request, context)) as responses:
                async for response in responses:
                    yield response

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
