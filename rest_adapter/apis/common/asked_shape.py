"""The shape that a request asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.api_shape import SHAPE, ApiShape
from rest_adapter.errors import InvalidRequest
from slotline.protocol.excerpt import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHOWN = 40


def read_shape(query: Mapping[str, str], default: ApiShape) -> ApiShape:
    """The shape that a request asks for by its query, or the server's.

    Raises:
        InvalidRequest: there is no such shape.
    """
    word = query.get(SHAPE)
    if word is None:
        return default
    try:
        return ApiShape(word)
    except ValueError:
        allowed = " and ".join(shape.value for shape in ApiShape)
        raise InvalidRequest(SHAPE, f"{quoted(word, _SHOWN)} is not known; allowed are {allowed}") from None
