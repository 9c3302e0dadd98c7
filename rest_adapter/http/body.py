"""Reading the body of a request from its connection, within time limits."""

from __future__ import annotations

import time
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

import gevent

from rest_adapter.http.pywsgi_hooks import HookedInput

if TYPE_CHECKING:
    from rest_adapter.http.places import Place

#: Seconds for which the rest of a body is read after the answer, so that the next request can follow.
LINGER_S = 2.0
#: A chunked body is read in pieces, and other connections get their turn after each. A piece has this many bytes within
#: one chunk, and fewer across chunks: 4,096 chunks of one byte would take so long that the others would notice.
_PIECE = 4096
_PIECE_ACROSS_CHUNKS = 256


class TooSlow(TimeoutError):
    """The client took longer for its request than allowed."""

    def __init__(self) -> None:
        super().__init__("the request did not come within the time allowed")


class Deadline:
    """A moment by which something must have happened.

    Args:
        timeout_s: seconds from now.
    """

    def __init__(self, timeout_s: float) -> None:
        self._end_s = time.monotonic() + timeout_s

    def limit(self) -> gevent.Timeout:
        """A context that raises ``TooSlow`` in the greenlet inside it once the moment has come."""
        return gevent.Timeout(max(0.0, self._end_s - time.monotonic()), TooSlow())


class RequestBody(HookedInput):
    """pywsgi's reader, which also gives up on slow clients and knows whether the connection can be used again.

    Args:
        reader: the connection's reader.
        content_length: bytes of the body, None for none.
        socket: where to write "100 Continue" to before the first read, or None.
        chunked_input: whether the body comes in chunks.
        deadline: when it must have come.
        place: the connection's place, which is safe once the whole body has been read.
        is_here: a body without chunks has come already, so that reading it needs no time limit.

    Attributes:
        is_broken: what is left of it, if anything, cannot be read.
        is_done: nothing is left of the body; what follows is the next request.
        is_late: the client was too slow.
    """

    def __init__(
        self,
        reader: Any,
        content_length: int | None,
        *,
        socket: Any,
        chunked_input: bool,
        deadline: Deadline,
        place: Place,
        is_here: bool = False,
    ) -> None:
        super().__init__(reader, content_length, socket=socket, chunked_input=chunked_input)
        self._deadline = deadline
        self._is_here = is_here and not chunked_input
        self.is_broken = False
        self.is_done = False
        self.is_late = False
        self._place = place
        self._keep_place_at_end()

    @property
    def gave_way(self) -> bool:
        """Whether it was cut off because another connection needed the place."""
        return self.is_broken and self._place.gave_way

    def read(self, length: int | None = None) -> bytes:
        """Read up to ``length`` bytes, or all.

        Raises:
            OSError: the client left, was too slow, or its chunks are malformed.
        """
        if not self.chunked_input:
            return self._read(length)
        if length is not None and length >= 0:
            return self._read(min(length, self._piece()))
        pieces = bytearray()
        while piece := self._read(self._piece()):
            pieces += piece
        return bytes(pieces)

    def _piece(self) -> int:
        return max(_PIECE_ACROSS_CHUNKS, min(_PIECE, self.chunk_length - self.position))

    def _read(self, length: int | None) -> bytes:
        try:
            with nullcontext() if self._is_here else self._deadline.limit():
                data: bytes = super().read(length)
            if self.chunked_input:
                gevent.sleep(0)
        except TimeoutError:
            self.is_broken = self.is_late = True
            raise
        except OSError:
            self.is_broken = True
            raise
        except ValueError as error:
            # pywsgi's for a chunk without a size.
            self.is_broken = True
            raise OSError("a chunk is malformed") from error
        self._keep_place_at_end()
        return data

    def _keep_place_at_end(self) -> None:
        if self._is_at_end():
            self._place.keep()

    def _is_at_end(self) -> bool:
        return self.chunk_length == 0 if self.chunked_input else self.position >= (self.content_length or 0)

    def after_answer(self) -> None:
        """Read and throw away what is left, so that the next request can follow; ``is_done`` says whether it can."""
        if self._is_at_end() and not self.is_broken:
            self.is_done = True
            return
        # If the client still waits for "100 Continue", it may or may not send the body, so that nothing can be read.
        has_body = self.chunked_input or bool(self.content_length)
        if self.is_broken or (has_body and self.socket is not None):
            return
        with suppress(TooSlow), Deadline(LINGER_S).limit():
            self.discard_rest()
            self.is_done = True
