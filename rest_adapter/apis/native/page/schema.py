"""GET / in OpenAPI."""

from __future__ import annotations

from rest_adapter.openapi.operation import STATE, Operation
from rest_adapter.openapi.schema_types import STRING

PAGE = Operation(
    STATE,
    "A page",
    "The built-in page, or index.html of the directory given by --path. Files below that directory come before "
    "every GET route. The page's scripts and styles are served below it, open like the page. With --no-ui "
    "there is none.",
    {200: {"text/html": STRING}},
    errors=(404, 500),
)
