"""A generation of the blocking client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import grpc

from slotline.client.base_generation import BaseGeneration
from slotline.client.errors import SlotlineError, from_rpc_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from slotline.client.results import Delta
    from slotline.v1 import generation_pb2


class StreamCall(Protocol):
    """What grpc returns for a streaming call; it has no public name there."""

    def __iter__(self) -> Iterator[generation_pb2.GenerateResponse]: ...

    def cancel(self) -> object: ...

    def code(self) -> grpc.StatusCode: ...


class Generation(BaseGeneration[StreamCall]):
    """Text as it is generated: an iterator of strings, none of them empty.

    With ``num_sequences`` this is the first continuation; ``completion`` has all of them at the end.

    Leaving it early leaves the request running; ``cancel`` it, or use it in a ``with`` statement.
    """

    def __enter__(self) -> Generation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.cancel()

    def __iter__(self) -> Iterator[str]:
        for message in self.messages():
            if text := self._state.add_text(message):
                yield text

    def deltas(self) -> Iterator[Delta]:
        """What comes, told apart: text, reasoning and tool calls, of all continuations.

        Raises:
            SlotlineError: the request was refused or failed.
        """
        for message in self.messages():
            yield from self._state.add(message)

    def messages(self) -> Iterator[generation_pb2.GenerateResponse]:
        """The bare messages instead of text.

        Raises:
            SlotlineError: the request was refused or failed.
            StreamLost: it was accepted and broke off.
        """
        while not self._is_cancelled:
            try:
                for message in self._call:
                    self._progress.note(message)
                    yield message
            except grpc.RpcError as error:
                if self._is_cancelled and self._call.code() is grpc.StatusCode.CANCELLED:
                    return
                try:
                    self._go_on_after(from_rpc_error(error))
                except SlotlineError as final:
                    raise final from error
            else:
                self._progress.check_end()
                return
