"""GET /."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import request
from werkzeug.exceptions import NotFound

from rest_adapter.files.page import index_response
from rest_adapter.http.responses import Answer

if TYPE_CHECKING:
    from rest_adapter.apis.serving.app_context import AppContext


def page(context: AppContext) -> Answer:
    """The page itself; the application answers its other files."""
    if not context.config.page:
        raise NotFound
    return Answer.of(index_response(), request.environ)
