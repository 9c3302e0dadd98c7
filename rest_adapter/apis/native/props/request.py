"""POST /props: a body that changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.errors import UNSUPPORTED, InvalidRequest
from slotline.protocol.excerpt import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHOWN = 40


def check_props(body: Mapping[str, object]) -> None:
    """Refuse a body that has anything: there is no property that can be changed yet, here or in llama.cpp's server.

    Raises:
        InvalidRequest: it has a property.
    """
    for name in body:
        raise InvalidRequest(
            excerpt(name, _SHOWN), "cannot be changed while the server runs; leave it out", UNSUPPORTED
        )
