"""GET /openapi.json: what all routes take and answer, for programs."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from flask import Response

from rest_adapter.http.responses import BARE_JSON
from rest_adapter.json.encoding import encode
from rest_adapter.openapi import document

if TYPE_CHECKING:
    from rest_adapter.apis.serving.app_context import Route, Site


def description(site: Site) -> Response:
    """The OpenAPI document."""
    return Response(_text(site.routes), content_type=BARE_JSON)


@cache
def _text(routes: tuple[Route, ...]) -> bytes:
    return encode(document(routes))
