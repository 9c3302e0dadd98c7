"""Reading the body of the current request."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from flask import current_app, request
from werkzeug.exceptions import RequestTimeout, UnsupportedMediaType

from rest_adapter.errors import Crowded, InvalidBody
from rest_adapter.http.body_size import BodyTooLarge
from rest_adapter.http.verbose import log_request_body
from rest_adapter.json.encoding import show

if TYPE_CHECKING:
    from collections.abc import Callable
    from wsgiref.types import WSGIEnvironment

#: Bytes of a body in chunks that are asked for at once.
_PIECE = 1 << 16


def read_raw_body(most_beyond: Callable[[], int] = int) -> bytes:
    """The bytes of the body, which should be JSON.

    The content type does not matter: clients of this API have always sent JSON with any.

    Args:
        most_beyond: says how many bytes beyond the usual limit are allowed; asked only if the body has more than that.

    Raises:
        Crowded: another connection needed the place of this one before the whole body had come.
        InvalidBody: the body is incomplete, or not chunked correctly.
        BodyTooLarge: it is larger than allowed.
        RequestTimeout: it did not come in time.
        UnsupportedMediaType: it is compressed.
    """
    environ = request.environ
    coding = environ.get("HTTP_CONTENT_ENCODING", "identity")
    if coding.strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType(f"Content-Encoding: {show(coding)} is not supported; send the body uncompressed")
    try:
        raw = _read(environ, _Limit(current_app.config["MAX_CONTENT_LENGTH"], most_beyond))
    except OSError:
        source = environ["wsgi.input"]
        if getattr(source, "gave_way", False):
            raise Crowded from None
        if getattr(source, "is_late", False):
            raise RequestTimeout("the request did not come within the time that --timeout allows") from None
        raise InvalidBody(
            "the body ends before its Content-Length or its last chunk, or is not chunked correctly"
        ) from None
    log_request_body(raw)
    return raw


class _Limit:
    def __init__(self, usual: int | None, most_beyond: Callable[[], int]) -> None:
        self._usual = self._most = sys.maxsize if usual is None else usual
        self._most_beyond = most_beyond

    def check(self, n_bytes: int) -> None:
        if n_bytes > self._most == self._usual:
            self._most += self._most_beyond()
        if n_bytes > self._most:
            raise BodyTooLarge(self._most)


def _read(environ: WSGIEnvironment, limit: _Limit) -> bytes:
    """The bytes of a body within a limit.

    Raises:
        OSError: not all of it came.
        BodyTooLarge: it is larger.
    """
    source = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH")
    if length:
        limit.check(int(length))
        return bytes(source.read(int(length)))
    if not environ.get("wsgi.input_terminated"):
        return b""
    # In chunks, of which a read returns a piece.
    raw = bytearray()
    while piece := source.read(_PIECE):
        raw += piece
        limit.check(len(raw))
    return bytes(raw)
