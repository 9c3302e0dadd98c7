"""Reading the JSON body of the current request."""

from __future__ import annotations

from flask import request

from rest_adapter.errors import StreamClosed
from rest_adapter.translate.jsontext import decode


def read_body() -> dict[str, object]:
    """The body as an object; JSON that is not an object acts as an object without keys.

    The content type does not matter: clients of this API have always sent JSON under any.

    Raises:
        InvalidBody: the body is not JSON.
        RequestEntityTooLarge: it is larger than allowed.
        StreamClosed: the client left before its end.
    """
    try:
        raw = request.get_data(cache=False)
    except OSError as error:
        # Including chunked bodies that are malformed; the server answers those by itself.
        raise StreamClosed from error
    value = decode(raw)
    return value if isinstance(value, dict) else {}
