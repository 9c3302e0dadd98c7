"""Everything that we need of gevent's pywsgi beyond what it documents, under names of our own.

pywsgi has no public way to replace its error answers, to see a request body to its end, or to send the head of an
answer together with its first bytes, so these classes override private methods of it and call the methods below
instead. ``pyproject.toml`` bounds gevent above, and ``tests/unit/rest_adapter/http/test_pywsgi_hooks.py`` compares the
signatures with those that are expected here.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from email.utils import formatdate
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gevent.pywsgi import Input, WSGIHandler

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

#: Bytes up to which the first piece of an answer is copied, to be sent together with the head.
_SENT_WITH_HEAD = 64 * 1024
#: Statuses whose answers have no body.
_WITHOUT_BODY = (204, 304)
#: What ``read_requestline`` returns to have pywsgi close the connection, and to have it go on.
NO_REQUEST, SOME_REQUEST = "", "\n"


class HookedInput(Input, ABC):
    """pywsgi's reader of a request body.

    Two of its attributes are not documented either: ``chunk_length``, the size of the current chunk, 0 after the last
    one; and ``position``, how many bytes of the chunk, or of a body without chunks, have been read.
    """

    @abstractmethod
    def after_answer(self) -> None:
        """The application has answered; the next request cannot be read before the rest of the body has been."""

    def discard_rest(self) -> None:
        """Read the rest of the body and throw it away."""
        super()._discard()  # type: ignore[misc]

    def _discard(self) -> None:
        self.after_answer()


class HookedHandler(WSGIHandler, ABC):
    """pywsgi's handler of a connection, with a way of its own to write answers."""

    _head = b""

    @abstractmethod
    def refuse(self, error: BaseException) -> tuple[str, bytes] | None:
        """The status code and all bytes for a client whose request cannot be read; None closes without an answer."""

    @abstractmethod
    def answer_failure(self) -> None:
        """Answer a request with which something went wrong outside of the application."""

    @abstractmethod
    def log_failure(self, kind: type[BaseException], error: BaseException, traceback: Any) -> None:
        """Log what went wrong there."""

    def begin_answer(self, status: str, headers: Iterable[tuple[str, str]], names: Container[str]) -> None:
        """Prepare the head of an answer; it is sent with the first bytes of the body.

        Args:
            status: code and phrase.
            headers: names and values, in order. What they lack of date and framing is added.
            names: the names of these headers, in lower case.

        Raises:
            ValueError: a line end, or a character that is not Latin-1, in the status or in a header.
        """
        code = int(status[:3])
        lines = [f"HTTP/1.1 {status}", *[f"{name}: {value}" for name, value in headers]]
        if "date" not in names:
            lines.append(f"Date: {_date(int(time.time()))}")
        has_length = "content-length" in names or code in _WITHOUT_BODY
        is_chunked = not has_length and self.request_version != "HTTP/1.0"
        if is_chunked:
            lines.append("Transfer-Encoding: chunked")
        head = "\r\n".join(lines)
        if not head.count("\r") == head.count("\n") == len(lines) - 1:
            raise ValueError("a line end inside the head of an answer")
        self._head = head.encode("latin-1") + b"\r\n\r\n"
        self.code = code
        self.status = status
        self.response_use_chunked = is_chunked

    def write(self, data: bytes) -> None:
        """Send a piece of the answer; the first one together with the head."""
        if data and self.code in _WITHOUT_BODY:
            raise self.ApplicationError(f"an answer with status {self.code} has no body")
        if data and self.response_use_chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        if not self.headers_sent:
            if not self.status:
                raise self.ApplicationError("the application did not call start_response()")
            self.headers_sent = True
            if len(data) > _SENT_WITH_HEAD:
                self._sendall(self._head)
            else:
                data = self._head + data
        if data:
            self._sendall(data)

    def _sendall(self, data: bytes) -> None:
        try:
            # Nearly always all of it fits into the socket's buffer.
            sent = self.socket.send(data)
            if sent < len(data):
                self.socket.sendall(memoryview(data)[sent:])
        except OSError:
            # For the log: the status that the client has not got.
            self.code = -abs(self.code or 0)
            raise
        self.response_length += len(data)

    def _handle_client_error(self, ex: BaseException) -> tuple[str, bytes] | None:
        return self.refuse(ex)

    def _send_error_response_if_possible(self, error_code: int) -> None:
        self.answer_failure()

    def _log_error(self, t: type[BaseException], v: BaseException, tb: Any) -> None:
        self.log_failure(t, v, tb)


@lru_cache(1)
def _date(second: int) -> str:
    """A time, in seconds since 1970, as HTTP writes it."""
    return formatdate(second, usegmt=True)
