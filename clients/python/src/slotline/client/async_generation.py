"""A generation of the client for asyncio."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import grpc.aio

from slotline.client.base_generation import BaseGeneration
from slotline.client.errors import SlotlineError, from_rpc_error, from_status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from types import TracebackType

    from slotline.client.results import Delta
    from slotline.v1 import generation_pb2

    StreamCall = grpc.aio.UnaryStreamCall[Any, generation_pb2.GenerateResponse]


class AsyncGeneration(BaseGeneration["StreamCall"]):
    """Text as it is generated: an asynchronous iterator of strings, none of them empty.

    With ``num_sequences`` this is the first continuation; ``completion`` has all of them at the end.

    Leaving it early leaves the request running; ``cancel`` it, or use it in an ``async with`` statement.
    """

    async def __aenter__(self) -> AsyncGeneration:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.cancel()

    async def __aiter__(self) -> AsyncIterator[str]:
        async for message in self.messages():
            if text := self._state.add_text(message):
                yield text

    async def deltas(self) -> AsyncIterator[Delta]:
        """What comes, told apart: text, reasoning and tool calls, of all continuations.

        Raises:
            SlotlineError: the request was refused or failed.
        """
        async for message in self.messages():
            for delta in self._state.add(message):
                yield delta

    async def messages(self) -> AsyncIterator[generation_pb2.GenerateResponse]:
        """The bare messages instead of text.

        Raises:
            SlotlineError: the request was refused or failed.
            StreamLost: it was accepted and broke off.
        """
        while not self._is_cancelled:
            try:
                async for message in self._call:
                    self._progress.note(message)
                    yield message
                self._progress.check_end()
                return
            except grpc.aio.AioRpcError as error:
                failure = from_rpc_error(error)
            except asyncio.CancelledError:
                # Raised for a task that is being cancelled, for a call that was cancelled here, and for one whose
                # status says so: only the last is a failure.
                if is_task_cancelled():
                    raise
                if self._is_cancelled:
                    return
                failure = await status_of(self._call)
            self._go_on_after(failure)


def is_task_cancelled() -> bool:
    """Whether the running task is being cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def status_of(call: Any) -> SlotlineError:
    """The end of a call as a failure."""
    return from_status(await call.code(), await call.details(), await call.trailing_metadata())
