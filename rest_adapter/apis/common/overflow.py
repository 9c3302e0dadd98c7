"""The field ``truncate`` of all generating routes: what happens if a prompt does not fit into a slot's context."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.fields import read_bool
from slotline.v1.generation_pb2 import OVERFLOW_REFUSE, OVERFLOW_TRUNCATE, GenerateRequest

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_overflow(request: GenerateRequest, body: Mapping[str, object], *, truncates: bool) -> None:
    """Set whether to refuse or truncate; also whether an answer ends at the end of the context or shifts the context.

    Args:
        request: its ``overflow`` is set. ``n_keep`` says what truncation keeps, and not whether to truncate.
        body: the JSON body.
        truncates: the default.
    """
    value = body.get("truncate")
    is_wanted = truncates if value is None else read_bool("truncate", value)
    request.overflow = OVERFLOW_TRUNCATE if is_wanted else OVERFLOW_REFUSE
