"""POST /infill."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rest_adapter.apis.native.completion.route import answer_completion
from rest_adapter.apis.native.infill.request import read_infill
from rest_adapter.apis.serving.reading import read_body

if TYPE_CHECKING:
    from rest_adapter.apis.serving.app_context import AppContext
    from rest_adapter.http.responses import Answer


def infill(context: AppContext) -> Answer:
    """Fill the gap between a prefix and a suffix."""
    read = partial(read_infill, shape=context.shape, truncates=context.config.native_truncates)
    return answer_completion(context, read_body(context, read))
