"""GET /openapi.json in OpenAPI."""

from __future__ import annotations

from rest_adapter.http.media_types import JSON
from rest_adapter.openapi.operation import STATE, Operation

OPENAPI = Operation(
    STATE,
    "This document",
    "The same on every server of this version, whatever its options.",
    {200: {JSON: {"type": "object"}}},
    errors=(500,),
)
