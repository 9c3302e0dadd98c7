"""Reading the body of the current request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import current_app, request
from werkzeug.exceptions import RequestEntityTooLarge, RequestTimeout, UnsupportedMediaType

from rest_adapter.errors import Crowded, InvalidBody
from rest_adapter.http.verbose import log_request_body
from rest_adapter.json.encoding import show

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

#: Bytes of a body in chunks that are asked for at once.
_PIECE = 1 << 16


def read_raw_body() -> bytes:
    """The bytes of the body, which should be JSON.

    The content type does not matter: clients of this API have always sent JSON with any.

    Raises:
        Crowded: another connection needed the place of this one before the whole body had come.
        InvalidBody: the body is incomplete, or not chunked correctly.
        RequestEntityTooLarge: it is larger than allowed.
        RequestTimeout: it did not come in time.
        UnsupportedMediaType: it is compressed.
    """
    environ = request.environ
    coding = environ.get("HTTP_CONTENT_ENCODING", "identity")
    if coding.strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType(f"Content-Encoding: {show(coding)} is not supported; send the body uncompressed")
    try:
        raw = _read(environ, current_app.config["MAX_CONTENT_LENGTH"])
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


def _read(environ: WSGIEnvironment, limit: int | None) -> bytes:
    """The bytes of a body of at most ``limit`` bytes.

    Raises:
        OSError: not all of it came.
        RequestEntityTooLarge: it is larger.
    """
    source = environ["wsgi.input"]
    length = environ.get("CONTENT_LENGTH")
    if length:
        if limit is not None and int(length) > limit:
            raise RequestEntityTooLarge
        return bytes(source.read(int(length)))
    if not environ.get("wsgi.input_terminated"):
        return b""
    # In chunks, of which a read returns a piece.
    raw = bytearray()
    while piece := source.read(_PIECE):
        raw += piece
        if limit is not None and len(raw) > limit:
            raise RequestEntityTooLarge
    return bytes(raw)
