"""The core behind its gRPC address: ``rest_adapter.core.calls.CoreCalls`` over grpc.aio."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import grpc
import grpc.aio

from rest_adapter.core.bridge import Bridge, Mailbox, Work
from rest_adapter.core.calls import GENERATE_PATH, Request, Response, UnaryMethod
from rest_adapter.core.rpc_errors import rpc_failure
from rest_adapter.errors import RpcFailure, StreamClosed
from slotline.protocol import reasons
from slotline.protocol.metadata import call_metadata
from slotline.v1.generation_pb2 import GenerateRequest, GenerateResponse

if TYPE_CHECKING:
    from rest_adapter.core.tls import CoreTls

logger = logging.getLogger(__name__)

#: Calls of one request that run at the same time. More prompts than this wait here, so that one client with hundreds
#: of prompts does not fill the core's queue.
FAN_OUT = 32

_CHANNEL_OPTIONS: tuple[tuple[str, int | str], ...] = (
    # A restarted core is found again within this time, not after the default of up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 200),
    # Two clients of one process must not share a broken connection.
    ("grpc.use_local_subchannel_pool", 1),
    # gRPC would send calls to another host through the proxy of http_proxy.
    ("grpc.enable_http_proxy", 0),
    # A core that hangs without closing its sockets is given up after 40 s. It accepts pings that are 10 s apart.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    # By default, gRPC waits a minute for the answer to a ping.
    ("grpc.http2.ping_timeout_ms", 20_000),
    ("grpc.http2.max_pings_without_data", 0),
    # The core limits prompts, the adapter limits bodies, and answers have no limit.
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
)

_Metadata = tuple[tuple[str, str], ...]
_Pair = tuple[int, GenerateResponse]
_GenerateCall = grpc.aio.UnaryStreamCall[GenerateRequest, GenerateResponse]
#: The ways in which grpc.aio reports that a call has failed.
_ENDINGS = (grpc.aio.AioRpcError, asyncio.CancelledError)
#: Makes the coroutine. If a call is closed before it starts, a ready-made coroutine would never have been awaited.
_Work = Callable[[], Coroutine[Any, Any, None]]
Item = TypeVar("Item")


class CoreClient:
    """A core over gRPC.

    Args:
        target: ``host:port`` or ``unix:/path``. The core need not be up: calls fail with UNAVAILABLE until it is.
        api_key: given to the core with every call, or None.
        tls: how to reach it with TLS; None for plain text. Files are read now.

    Raises:
        OSError: a file cannot be read.
    """

    def __init__(self, target: str, *, api_key: str | None = None, tls: CoreTls | None = None) -> None:
        self._target = target
        self._options = _CHANNEL_OPTIONS + (tls.options if tls is not None else ())
        self._credentials = tls.credentials() if tls is not None else None
        self._api_key = api_key
        self._bridge = Bridge()
        self._calls: set[_Call[Any]] = set()
        self._channel: grpc.aio.Channel
        self._generate: grpc.aio.UnaryStreamMultiCallable[GenerateRequest, GenerateResponse]
        # The loop runs what it is called for in order, so every call finds the channel; a task has its turn later.
        self._bridge.call(self._open_channel)

    def generate(
        self, requests: Sequence[GenerateRequest], *, deadline_s: float | None, priority: int = 0, tenant: str = ""
    ) -> _Stream:
        """Start one Generate call per request, as ``CoreCalls.generate`` says."""
        mailbox: Mailbox[_Pair] = Mailbox(self._bridge)
        metadata = call_metadata(self._api_key, priority=priority, tenant=tenant)
        if len(requests) == 1:
            make = partial(self._begin_call, requests[0], deadline_s, metadata, mailbox)
        else:
            make = partial(_finishing, mailbox, partial(self._relay_all, requests, deadline_s, metadata, mailbox))
        return _Stream(mailbox, Work(self._bridge, make), self._calls)

    def start(
        self, method: UnaryMethod[Request, Response], request: Request, *, timeout_s: float | None, tenant: str = ""
    ) -> _Pending[Response]:
        """Start a call without waiting, so that it can be cancelled. ``timeout_s`` None for no limit."""
        mailbox: Mailbox[Response] = Mailbox(self._bridge)
        metadata = call_metadata(self._api_key, tenant=tenant)
        work = partial(self._relay_one, method, request, timeout_s, metadata, mailbox)
        return _Pending(mailbox, Work(self._bridge, partial(_finishing, mailbox, work)), self._calls)

    def unary(
        self, method: UnaryMethod[Request, Response], request: Request, *, timeout_s: float, tenant: str = ""
    ) -> Response:
        """Call a method for a tenant and wait for its answer.

        Raises:
            RpcFailure: the call failed or took longer than ``timeout_s``.
        """
        return self.start(method, request, timeout_s=timeout_s, tenant=tenant).wait()

    def end_calls(self, failure: RpcFailure) -> None:
        """Cancel every running call; greenlets that wait for one get the failure."""
        for call in tuple(self._calls):
            call.end(failure)

    def close(self) -> None:
        """Cancel everything and end the thread. Idempotent."""
        self.end_calls(RpcFailure(grpc.StatusCode.UNAVAILABLE, reasons.DRAINING, "the adapter is shutting down"))
        self._bridge.close()

    def _open_channel(self) -> None:
        # A channel belongs to the loop it was made in.
        if self._credentials is None:
            self._channel = grpc.aio.insecure_channel(self._target, options=self._options)
        else:
            self._channel = grpc.aio.secure_channel(self._target, self._credentials, options=self._options)
        self._generate = self._channel.unary_stream(
            GENERATE_PATH,
            request_serializer=GenerateRequest.SerializeToString,
            response_deserializer=GenerateResponse.FromString,
        )

    async def _relay_one(
        self,
        method: UnaryMethod[Request, Response],
        request: Request,
        timeout_s: float | None,
        metadata: _Metadata,
        mailbox: Mailbox[Response],
    ) -> None:
        call = self._channel.unary_unary(
            method.path,
            request_serializer=method.request_type.SerializeToString,
            response_deserializer=method.response_type.FromString,
        )
        try:
            response = await call(request, timeout=timeout_s, metadata=metadata)
        except _ENDINGS as error:
            failure = _failure_of(error)
            if timeout_s is not None and (failure.status, failure.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, ""):
                # The limit is the adapter's, not the client's.
                failure = RpcFailure(failure.status, "", f"the core did not answer within {timeout_s:g} s")
            raise failure from error
        await mailbox.put(response)

    def _begin_call(
        self, request: GenerateRequest, deadline_s: float | None, metadata: _Metadata, mailbox: Mailbox[_Pair]
    ) -> Coroutine[Any, Any, None]:
        """Start the only call of a request at once, without waiting for the turn of the task that relays it."""
        try:
            call = self._generate(request, timeout=deadline_s, metadata=metadata)
        except Exception as error:
            return _finishing(mailbox, partial(_fail, error))
        return _finishing(mailbox, partial(_relay, 0, call, mailbox))

    async def _relay_all(
        self,
        requests: Sequence[GenerateRequest],
        deadline_s: float | None,
        metadata: _Metadata,
        mailbox: Mailbox[_Pair],
    ) -> None:
        end = None if deadline_s is None else asyncio.get_running_loop().time() + deadline_s
        places = asyncio.Semaphore(FAN_OUT)

        async def relay_in_turn(number: int, request: GenerateRequest) -> None:
            async with places:
                timeout_s = None if end is None else max(0.0, end - asyncio.get_running_loop().time())
                await _relay(number, self._generate(request, timeout=timeout_s, metadata=metadata), mailbox)

        try:
            # The group cancels the others when one fails.
            async with asyncio.TaskGroup() as group:
                for number, request in enumerate(requests):
                    group.create_task(relay_in_turn(number, request))
        except ExceptionGroup as group_error:
            raise group_error.exceptions[0] from None


class _Call(Generic[Item]):
    """A running call that can be ended early.

    Args:
        mailbox: receives what it answers.
        work: cancelling it cancels the call.
        running: the set that has the call until it ends.
    """

    def __init__(self, mailbox: Mailbox[Item], work: Work, running: set[_Call[Any]]) -> None:
        self._mailbox = mailbox
        self._work = work
        self._running = running
        running.add(self)

    def close(self) -> None:
        self.end(None)

    def end(self, failure: RpcFailure | None) -> None:
        if not self._mailbox.is_finished:
            self._work.cancel()
        self._mailbox.close(failure)
        self._running.discard(self)


class _Stream(_Call[_Pair]):
    """What ``CoreClient.generate`` returns; see ``rest_adapter.core.calls.ResponseStream``."""

    def __iter__(self) -> _Stream:
        return self

    def __next__(self) -> _Pair:
        return next(self._mailbox)

    def wait(self, timeout_s: float) -> bool:
        return self._mailbox.wait(timeout_s)


class _Pending(_Call[Item]):
    """What ``CoreClient.start`` returns; see ``rest_adapter.core.calls.PendingAnswer``."""

    def wait(self) -> Item:
        try:
            return next(self._mailbox)
        finally:
            self._running.discard(self)


async def _relay(number: int, call: _GenerateCall, mailbox: Mailbox[_Pair]) -> None:
    """Put the messages of a call into the mailbox. Ends with the call, or ends it."""
    try:
        async for message in call:
            await mailbox.put((number, message))
    except _ENDINGS as error:
        raise _failure_of(error).of_call(number) from error
    finally:
        call.cancel()


async def _fail(error: Exception) -> None:
    raise error


async def _finishing(mailbox: Mailbox[Any], work: _Work) -> None:
    """Run the work, and end the mailbox with its outcome, so that its reader never waits for ever."""
    outcome: Exception | None = None
    try:
        await work()
    except asyncio.CancelledError:
        outcome = StreamClosed()
        raise
    except RpcFailure as failure:
        outcome = failure
    except Exception:
        logger.exception("call to the core failed")
        outcome = RpcFailure(grpc.StatusCode.INTERNAL, "", "the adapter could not call the core")
    finally:
        mailbox.finish(outcome)


def _failure_of(error: grpc.aio.AioRpcError | asyncio.CancelledError) -> RpcFailure:
    """The failure that grpc.aio reports with one of ``_ENDINGS``.

    Raises:
        CancelledError: it is that of the current task.
    """
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise error
        # The task was not cancelled: grpc.aio also raises this if the core ended the call with the status CANCELLED.
        return RpcFailure(grpc.StatusCode.CANCELLED, "", "the core cancelled the request")
    if error.code() is grpc.StatusCode.UNAUTHENTICATED:
        # The key is the adapter's, so the log has the details and not the answer.
        logger.error("the core refuses this adapter's API key", extra={"reason": error.details()})
    return rpc_failure(error)
