"""The limit on the tokens of an answer, by the names that OpenAI has for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.fields import read_int

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slotline.v1.generation_pb2 import GenerateRequest

_LIMITS = ("max_completion_tokens", "max_tokens")


def read_max_tokens(request: GenerateRequest, body: Mapping[str, object], default: int | None = None) -> None:
    """The token limit; a negative one is none.

    Args:
        request: it has the native limit already.
        body: the JSON body.
        default: the limit if the body has none, not even the native one; None for no limit.
    """
    for name in _LIMITS:
        value = body.get(name)
        if value is not None:
            limit = read_int(name, value)
            if limit >= 0:
                request.stop.max_tokens = limit
            else:
                request.stop.ClearField("max_tokens")
            return
    if default is not None and body.get("n_predict") is None:
        request.stop.max_tokens = default
