"""Reading the JSON body of the current request."""

from __future__ import annotations

from flask import request
from werkzeug.exceptions import ClientDisconnected

from rest_adapter.errors import InvalidBody
from rest_adapter.translate.jsontext import decode


def read_body() -> dict[str, object]:
    """The body as an object; JSON that is not an object acts as an object without keys.

    The content type does not matter: clients of this API have always sent JSON under any.

    Raises:
        InvalidBody: the body is not JSON, or not all of it came.
        RequestEntityTooLarge: it is larger than allowed.
    """
    try:
        raw = request.get_data(cache=False)
    except ClientDisconnected:
        # Also what Werkzeug makes of chunks that are malformed, and of a client that is too slow.
        raise InvalidBody(
            "the body ends before its Content-Length or its last chunk, or is not chunked correctly"
        ) from None
    value = decode(raw)
    return value if isinstance(value, dict) else {}
