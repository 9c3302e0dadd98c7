"""A proxy in front of a core that fails on request: what networks, proxies, dying and newer cores do to a stream.

A request orders its own misfortune in ``extra``, which cores ignore: ``{"extra": {"fault": {...}}}``. README.md lists
the faults. Everything else passes through byte for byte.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
from google.protobuf import json_format

from service import errors
from service.api.rpc.call import RpcCall
from slotline.v1 import generation_pb2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
_GENERATE = "/slotline.v1.InferenceService/Generate"
#: A field of a newer contract: number 1001 of GenerateResponse, a number.
_UNKNOWN_FIELD = b"\xc8\x3e\x07"
#: An event of a newer contract: field 1000 of GenerateResponse, a message.
_UNKNOWN_EVENT = b"\xc2\x3e\x02\x08\x01"
_UNKNOWN_ENUM = 99
#: What was written before a process dies should be on its way.
_FLUSH_S = 0.1
#: How proxies report the loss of a core, or fail to; all of these were seen.
_LOSSES = {
    "internal": (grpc.StatusCode.INTERNAL, "Received RST_STREAM with error code 2"),
    "cancelled": (grpc.StatusCode.CANCELLED, "Received RST_STREAM with error code 8"),
    "unknown": (grpc.StatusCode.UNKNOWN, "The actor died unexpectedly before finishing this task."),
    "deadline": (grpc.StatusCode.DEADLINE_EXCEEDED, "upstream request timeout"),
}

#: Faults that end a stream, or stop it.
_ENDS = {"lose", "stall", "error"}

Fault = dict[str, Any]


class Relay(grpc.GenericRpcHandler):
    """Serves all methods of a core at another address.

    Args:
        channel: to the core.
        is_mortal: whether this process may end if a request wants it to.
    """

    def __init__(self, channel: grpc.aio.Channel, *, is_mortal: bool) -> None:
        self._channel = channel
        self._is_mortal = is_mortal
        self._refused: Counter[str] = Counter()

    def service(self, handler_call_details: Any) -> Any:
        """A handler for any method. On the wire, one response looks like a stream of one."""
        method: str = handler_call_details.method

        async def handle(request: bytes, context: Any) -> AsyncIterator[bytes]:
            answers = self._generate if method == _GENERATE else partial(self._pass, method)
            async for message in answers(request, context):
                yield message

        return grpc.unary_stream_rpc_method_handler(handle)

    async def _pass(self, method: str, request: bytes, context: Any) -> AsyncIterator[bytes]:
        start: Any = self._channel.unary_stream(method)
        call = start(request, metadata=context.invocation_metadata(), timeout=context.time_remaining())
        try:
            async for message in call:
                yield message
        except grpc.aio.AioRpcError as error:
            await context.abort(error.code(), error.details() or "", tuple(error.trailing_metadata() or ()))
        finally:
            call.cancel()

    async def _generate(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        asked = generation_pb2.GenerateRequest.FromString(request)
        fault: Fault = json_format.MessageToDict(asked.extra).get("fault", {})
        async with RpcCall("Generate", context):
            _check_metadata(fault.get("metadata", {}), context)
            self._refuse(asked.request_id, fault)
        n_deltas = 0
        async for data in self._pass(_GENERATE, request, context):
            message = generation_pb2.GenerateResponse.FromString(data)
            if fault.get("drop") == message.WhichOneof("event"):
                continue
            for sent in _newer(message) if fault.get("newer") else (data,):
                yield sent
            n_deltas += message.HasField("delta")
            if n_deltas >= fault.get("after", 1) and not fault.keys().isdisjoint(_ENDS):
                await self._fail(fault, context)
                return

    def _refuse(self, request_id: str, fault: Fault) -> None:
        """Refuse a call, as often as it wants that; they are counted by their id."""
        if "refuse" not in fault:
            return
        if self._refused[request_id] >= fault.get("times", 1 << 30):
            del self._refused[request_id]
            return
        self._refused[request_id] += 1
        raise _error(fault["refuse"], fault.get("retry_after_s"))

    async def _fail(self, fault: Fault, context: Any) -> None:
        if fault.get("stall"):
            await asyncio.Event().wait()
        elif "error" in fault:
            async with RpcCall("Generate", context):
                raise _error(fault["error"], None)
        elif fault["lose"] == "death":
            assert self._is_mortal, "only cores with `process` may die"
            await asyncio.sleep(_FLUSH_S)
            os._exit(1)
        elif fault["lose"] != "end":
            await context.abort(*_LOSSES[fault["lose"]])


async def start_relay(core: str, address: str, *, is_mortal: bool) -> tuple[grpc.aio.Server, int]:
    """Serve a core at another address; returns the server and its port."""
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0), *_OPTIONS))
    channel = grpc.aio.insecure_channel(core, options=_OPTIONS)
    server.add_generic_rpc_handlers((Relay(channel, is_mortal=is_mortal),))
    port = server.add_insecure_port(address)
    await server.start()
    return server, port


def _check_metadata(wanted: dict[str, str], context: Any) -> None:
    found: dict[str, list[str]] = {}
    for name, value in context.invocation_metadata():
        found.setdefault(name, []).append(value)
    for name, value in wanted.items():
        if found.get(name, []) != [value]:
            raise errors.InvalidArgument(name, f"is {found.get(name, [])} and not {value!r}")


def _newer(message: generation_pb2.GenerateResponse) -> tuple[bytes, ...]:
    """The message as a newer core might send it; in front of a last one comes an event that nobody knows yet."""
    is_last = message.HasField("finished")
    if is_last:
        message.finished.reason = _UNKNOWN_ENUM  # type: ignore[assignment]
    known = message.SerializeToString() + _UNKNOWN_FIELD
    return (_UNKNOWN_EVENT, known) if is_last else (known,)


def _error(reason: str, retry_after_s: float | None) -> errors.ServiceError:
    """An error of the core with this reason."""
    kinds = {kind.reason: kind for kind in _family(errors.ServiceError)}
    # Their constructors want facts that nobody looks at here.
    error = errors.ServiceError.__new__(kinds[reason])
    errors.ServiceError.__init__(error, f"refused with {reason} as asked", retry_after_s=retry_after_s)
    return error


def _family(kind: type[errors.ServiceError]) -> list[type[errors.ServiceError]]:
    return [one for child in kind.__subclasses__() for one in (*_family(child), child)]
