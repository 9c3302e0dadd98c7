"""Reading the body of the current request."""

from __future__ import annotations

from flask import request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge, RequestTimeout, UnsupportedMediaType

from rest_adapter.errors import Crowded, InvalidBody
from rest_adapter.http.verbose import log_request_body
from rest_adapter.json.encoding import show


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
    coding = request.headers.get("Content-Encoding", "identity")
    if coding.strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType(f"Content-Encoding: {show(coding)} is not supported; send the body uncompressed")
    try:
        raw = request.get_data(cache=False)
        # Werkzeug silently stops reading chunks at the limit.
        is_cut_off = len(raw) == request.max_content_length and bool(request.environ["wsgi.input"].read(1))
    except (ClientDisconnected, OSError):
        # Werkzeug raises ClientDisconnected whatever happens while a body is being read.
        source = request.environ["wsgi.input"]
        if getattr(source, "gave_way", False):
            raise Crowded from None
        if getattr(source, "is_late", False):
            raise RequestTimeout("the request did not come within the time that --timeout allows") from None
        raise InvalidBody(
            "the body ends before its Content-Length or its last chunk, or is not chunked correctly"
        ) from None
    if is_cut_off:
        raise RequestEntityTooLarge
    log_request_body(raw)
    return raw
