"""GET /."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.files.page import index_response

if TYPE_CHECKING:
    from flask import Response

    from rest_adapter.apis.serving.app_context import AppContext


def page(context: AppContext) -> Response:
    """The page itself; the application answers its other files."""
    return index_response()
