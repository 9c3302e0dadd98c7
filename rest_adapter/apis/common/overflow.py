"""What happens to a prompt that does not fit into a slot's context: the field ``truncate`` of all generating routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.fields import read_bool
from slotline.v1.generation_pb2 import OVERFLOW_REFUSE, OVERFLOW_TRUNCATE, GenerateRequest

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_overflow(request: GenerateRequest, body: Mapping[str, object], *, truncates: bool) -> None:
    """Say whether to refuse or to truncate; it also decides if an answer ends at the end of the context or shifts it.

    Args:
        request: gets the answer. ``n_keep`` says what to keep of a prompt, not whether to shorten it.
        body: the JSON body.
        truncates: what holds if the body does not say.
    """
    value = body.get("truncate")
    is_wanted = truncates if value is None else read_bool("truncate", value)
    request.overflow = OVERFLOW_TRUNCATE if is_wanted else OVERFLOW_REFUSE
