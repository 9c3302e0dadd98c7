"""Server-sent events: framing, and the body of a streamed answer."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from rest_adapter.apis.common.ending import unfinished
from rest_adapter.errors import AdapterError, StreamClosed
from rest_adapter.http.error_forms import ErrorForm, error_body
from rest_adapter.http.http_errors import STREAM_FAILED, HttpError, http_error
from rest_adapter.json.encoding import JsonObject, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rest_adapter.core.calls import ResponseStream
    from rest_adapter.http.background import BackgroundThread
    from slotline.v1.generation_pb2 import GenerateResponse

logger = logging.getLogger(__name__)

DONE = b"data: [DONE]\n\n"
#: A comment: clients skip it, and proxies see that the answer is not over.
PING = b": ping\n\n"


class Reply(Protocol):
    """Translates the messages of one request's calls into JSON."""

    def feed(self, number: int, response: GenerateResponse) -> Iterator[JsonObject]:
        """Take a message of call ``number`` and yield the stream events it makes."""

    def closing_events(self) -> Iterator[JsonObject]:
        """The stream events after the last message."""

    def result(self) -> object:
        """The answer without a stream, after the last message."""


def event(data: object) -> bytes:
    """One event as it goes over the wire."""
    return b"data: " + encode(data) + b"\n\n"


def named_event(data: JsonObject) -> bytes:
    """One event whose name is its type, which its data has, too."""
    name: str = data["type"]
    return b"event: " + name.encode() + b"\ndata: " + encode(data) + b"\n\n"


@dataclass(frozen=True, slots=True)
class EventForm:
    """What the events of an API look like.

    Attributes:
        error: the data of the event with which a stream fails.
        frame: an event as it goes over the wire.
        ping: what is sent while nothing else is.
        last: bytes after the last event of a stream without error.
    """

    error: Callable[[HttpError], JsonObject]
    frame: Callable[[JsonObject], bytes] = event
    ping: bytes = PING
    last: bytes = b""


def plain_events(form: ErrorForm, last: bytes = b"") -> EventForm:
    """Events that are data alone.

    Args:
        form: of errors.
        last: bytes after the last event of a stream without error.
    """
    return EventForm(partial(error_body, form), last=last)


class Heartbeat:
    """Tells when a stream has been silent for so long that it needs a comment.

    Args:
        every_s: longest silence in seconds; None for no limit.
    """

    def __init__(self, every_s: float | None) -> None:
        self._every_s = every_s
        self.beat()

    def beat(self) -> None:
        """Note that something is sent to the client."""
        if self._every_s is not None:
            self._last = time.monotonic()

    def is_due(self, stream: ResponseStream) -> bool:
        """Wait for the next message of a stream, or its end. True if a comment is due before it comes."""
        if self._every_s is None:
            return False
        return not stream.wait(max(0.0, self._last + self._every_s - time.monotonic()))


class EventStream:
    """The body of a streamed answer. WSGI writes each item by itself, so each event is one HTTP chunk.

    Args:
        first: the first message; None if a comment was due before it came.
        stream: the messages after it.
        reply: makes events of messages.
        heartbeat: tells when a comment is due.
        background: where events are made if that takes long; None if it does not.
        form: what the events look like.
        on_close: cancels the calls; called once, also if the client left before the first event.
    """

    def __init__(
        self,
        first: tuple[int, GenerateResponse] | None,
        stream: ResponseStream,
        reply: Reply,
        heartbeat: Heartbeat,
        *,
        background: BackgroundThread | None = None,
        form: EventForm,
        on_close: Callable[[], None],
    ) -> None:
        self._first = first
        self._stream = stream
        self._reply = reply
        self._heartbeat = heartbeat
        self._background = background
        self._form = form
        self._on_close = on_close
        self._is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        try:
            for item in self._events():
                self._heartbeat.beat()
                yield item
            if self._form.last:
                yield self._form.last
        except StreamClosed:
            # The client has gone.
            return
        except AdapterError as error:
            yield self._error(http_error(error))
        except Exception:
            logger.exception("streaming an answer failed")
            yield self._error(STREAM_FAILED)

    def close(self) -> None:
        """WSGI servers call this at the end, and when the client is gone."""
        if not self._is_closed:
            self._is_closed = True
            self._on_close()

    def _events(self) -> Iterator[bytes]:
        frame, has_begun = self._form.frame, False
        for message in self._messages():
            if message is None:
                yield self._form.ping
                continue
            has_begun = True
            events: Iterable[bytes] = map(frame, self._reply.feed(*message))
            if self._background is not None:
                events = self._background.run(partial(list[bytes], events))
            yield from events
        if not has_begun:
            raise unfinished()
        for data in self._reply.closing_events():
            yield frame(data)

    def _messages(self) -> Iterator[tuple[int, GenerateResponse] | None]:
        """The messages; None wherever a comment is due before the next one comes."""
        stream, message = self._stream, self._first
        yield message
        while True:
            while self._heartbeat.is_due(stream):
                yield None
            message = next(stream, None)
            if message is None:
                return
            yield message

    def _error(self, error: HttpError) -> bytes:
        return self._form.frame(self._form.error(error))
