"""Reading the body of the current request, within the bounds on one body."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from rest_adapter.apis.serving.limits import served_model
from rest_adapter.errors import RpcFailure
from rest_adapter.http.current_body import read_raw_body
from rest_adapter.json.decoding import decode
from rest_adapter.json.incremental import Bounds, decode_in_pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rest_adapter.apis.serving.app_context import AppContext

Call = TypeVar("Call")

#: A body of up to this size is read at once, which takes milliseconds. It cannot exceed the bounds.
SMALL_BODY_BYTES = 2 * Bounds().max_entries
#: A prompt may have this many times as many token ids as the context: what truncation drops has to be allowed, too.
_CONTEXTS = 16


def read_body(
    context: AppContext, read: Callable[[Mapping[str, object]], Call], *, takes_pictures: bool = False
) -> Call:
    """What ``read`` returns for the body. JSON that is not an object acts as an empty object.

    Args:
        context: what the routes share.
        read: reads the value of the JSON.
        takes_pictures: a body may be larger by the pictures that a request may have.

    Raises:
        AdapterError: the body is not JSON, holds more than allowed, or ``read`` refuses it.
        HTTPException: the body is too large, too late, or compressed.
    """
    return read_any_body(context, lambda value: read(_object(value)), takes_pictures=takes_pictures)


def read_any_body(context: AppContext, read: Callable[[object], Call], *, takes_pictures: bool = False) -> Call:
    """What ``read`` returns for the body, whatever JSON it is; see ``read_body``."""
    raw = read_raw_body(partial(_picture_bytes, context)) if takes_pictures else read_raw_body()
    if len(raw) <= SMALL_BODY_BYTES:
        return read(decode(raw))
    bounds = _bounds(context)
    return context.reading.run(lambda: read(decode_in_pieces(raw, bounds)))


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _picture_bytes(context: AppContext) -> int:
    """Bytes of a body for pictures in base64; none if the model takes no pictures.

    Raises:
        RpcFailure: the core cannot tell.
    """
    return -(-served_model(context.core).images.max_request_image_bytes // 3) * 4


def _bounds(context: AppContext) -> Bounds:
    least = Bounds().max_entries
    try:
        return Bounds(max_entries=max(least, _CONTEXTS * served_model(context.core).context_length))
    except RpcFailure:
        # The core is unreachable. If the route needs it, its own call will say so.
        return Bounds()
