"""Server-sent events: framing, and the body of a streamed answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Protocol

from rest_adapter.core import ResponseStream
from rest_adapter.errors import AdapterError, StreamClosed
from rest_adapter.http_errors import HttpError, http_error
from rest_adapter.translate.jsontext import JsonObject, encode
from slotline.v1.generation_pb2 import GenerateResponse

logger = logging.getLogger(__name__)

CONTENT_TYPE = "text/event-stream"
DONE = b"data: [DONE]\n\n"


class Reply(Protocol):
    """Turns the messages of one request's calls into JSON."""

    def feed(self, number: int, response: GenerateResponse) -> Iterator[JsonObject]:
        """Take a message of call ``number`` and yield the stream events it makes."""

    def closing_events(self) -> Iterator[JsonObject]:
        """The stream events after the last message."""

    def result(self) -> JsonObject:
        """The answer without a stream, after the last message."""


def event(data: object) -> bytes:
    """One event as it goes over the wire."""
    return b"data: " + encode(data) + b"\n\n"


class EventStream:
    """The body of a streamed answer. WSGI writes each item by itself, so each event is one HTTP chunk.

    Args:
        first: the message that has already been waited for.
        stream: the messages after it.
        reply: makes events of messages.
        last: bytes after the last event of a stream without error.
        on_close: cancels what still runs; called once, also if the client left before the first event.
    """

    def __init__(
        self,
        first: tuple[int, GenerateResponse],
        stream: ResponseStream,
        reply: Reply,
        *,
        last: bytes,
        on_close: Callable[[], None],
    ) -> None:
        self._first = first
        self._stream = stream
        self._reply = reply
        self._last = last
        self._on_close = on_close
        self._is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._events()
            if self._last:
                yield self._last
        except StreamClosed:
            # Nobody reads any more.
            return
        except AdapterError as error:
            yield event(http_error(error).body())
        except Exception:
            logger.exception("streaming an answer failed")
            yield event(HttpError(500, "server_error", "the adapter failed to write the answer").body())

    def close(self) -> None:
        """WSGI servers call this at the end, and when the client is gone."""
        if not self._is_closed:
            self._is_closed = True
            self._on_close()

    def _events(self) -> Iterator[bytes]:
        yield from self._of_message(*self._first)
        for number, response in self._stream:
            yield from self._of_message(number, response)
        for data in self._reply.closing_events():
            yield event(data)

    def _of_message(self, number: int, response: GenerateResponse) -> Iterator[bytes]:
        for data in self._reply.feed(number, response):
            yield event(data)
