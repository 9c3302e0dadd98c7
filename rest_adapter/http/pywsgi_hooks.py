"""Everything that we need of gevent's pywsgi beyond what it documents, under names of our own.

pywsgi has no public way to replace its error answers, to see a request body to its end, or to read headers strictly, so
these classes override private methods of it and call the methods below instead. ``pyproject.toml`` bounds gevent above,
and ``tests/unit/rest_adapter/http/test_pywsgi_hooks.py`` compares the signatures with those that are expected here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from io import BytesIO
from typing import Any

from gevent.pywsgi import Input, WSGIHandler

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
    """pywsgi's handler of a connection."""

    @abstractmethod
    def read_headers(self, reader: Any) -> Any:
        """Read the headers that follow the request line into what ``new_headers`` makes."""

    @abstractmethod
    def refuse(self, error: BaseException) -> tuple[str, bytes] | None:
        """The status code and all bytes for a client whose request cannot be read; None closes without an answer."""

    @abstractmethod
    def answer_failure(self) -> None:
        """Answer a request with which something went wrong outside of the application."""

    @abstractmethod
    def log_failure(self, kind: type[BaseException], error: BaseException, traceback: Any) -> None:
        """Log what went wrong there."""

    def new_headers(self) -> Any:
        """pywsgi's container for headers, empty."""
        return super().MessageClass(BytesIO())

    def MessageClass(self, fp: Any, *_: Any) -> Any:
        return self.read_headers(fp)

    def _handle_client_error(self, ex: BaseException) -> tuple[str, bytes] | None:
        return self.refuse(ex)

    def _send_error_response_if_possible(self, error_code: int) -> None:
        self.answer_failure()

    def _log_error(self, t: type[BaseException], v: BaseException, tb: Any) -> None:
        self.log_failure(t, v, tb)
