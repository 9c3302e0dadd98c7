"""GET /openapi.json."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from rest_adapter.http.media_types import JSON
from rest_adapter.http.responses import Answer, bytes_response
from rest_adapter.json.encoding import encode
from rest_adapter.openapi.document import document

if TYPE_CHECKING:
    from rest_adapter.apis.serving.app_context import AppContext, Route


def description(context: AppContext) -> Answer:
    """What all routes take and answer, for programs."""
    return bytes_response(_text(context.routes), content_type=JSON)


@cache
def _text(routes: tuple[Route, ...]) -> bytes:
    return encode(document(routes))
