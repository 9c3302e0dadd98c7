"""Putting the document together from what each route says about itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from rest_adapter.api_shape import SHAPE, ApiShape
from rest_adapter.http.error_forms import ErrorForm, error_form
from rest_adapter.http.media_types import JSON
from rest_adapter.openapi.error_answers import STATUSES, error_answers, error_refs, error_schemas
from rest_adapter.openapi.operation import TAGS, Operation
from rest_adapter.openapi.schema_types import STRING, Schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


VERSION = "3.1.0"
#: Of the REST API, not of the server: it changes when clients have to.
API_VERSION = "1"

_SHAPE: Schema = {
    "name": SHAPE,
    "in": "query",
    "description": "Whose answer it is: that of llama.cpp's server of 2024, or of its server of today.",
    "schema": {"enum": [shape.value for shape in ApiShape]},
}
_KEY = "apiKey"
_KEY_HEADER = "apiKeyHeader"
#: Flask's way to write a variable part of a path.
_VARIABLE = re.compile(r"<(?:\w+:)?(\w+)>")
_ABOUT = """\
The REST, server-sent events and OpenAI API of a Slotline server, which serves one language model.

The same server offers all of this, and more, over gRPC: the services `slotline.v1.InferenceService` and \
`slotline.v1.ModelService`, at 127.0.0.1:50051 unless `--grpc-listen` says otherwise. They are listed by gRPC server \
reflection, and written down in `protos/slotline/v1`.

What holds for every route:

* Bodies are JSON whatever the Content-Type says. Unknown keys are ignored; null means the default. An integer may \
also be a number with a fraction, which is cut off, or true or false, which are 1 and 0; a number may also be true or \
false. Fields that only `/v1/responses` or `/v1/messages` has are what they are described as, and nothing else.
* An error is `{"error": {"code", "message", "type"}}`, where the code is the status; on OpenAI routes it is \
`{"error": {"code", "message", "param", "type"}}`, where the code is a word or null and the param a \
field or null, but in the shape of today the same as elsewhere; under /v1/messages it is \
`{"type": "error", "error": {"message", "type"}, "request_id"}`, and the header request-id has that id, too. An \
unknown path is answered with 404, another method with 405, a request line that is too long with 414.
* Where llama.cpp's server of 2024 and its server of today answer differently, the query `shape=2024` or `shape=now` \
asks for one of them; without it, `--api-shape` decides, which is 2024 by default. What differs is said at each route.
* HEAD is answered on every path that has GET, OPTIONS on every path at all.
* All routes are described here. Those that a server was started without answer 404 (`/slots`, `/metrics`; in \
the shape of today 501) or 501 (embeddings, changes of `/props`, slot files).
* If the server was started with API keys, routes that are marked so want one as `Authorization: Bearer KEY` or \
`X-Api-Key: KEY`.
"""


class DescribedRoute(Protocol):
    """A route as the document sees it."""

    @property
    def method(self) -> str:
        """Its HTTP method."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Equivalent paths, with variable parts as Flask writes them; the others are described like the first."""

    @property
    def operation(self) -> Operation:
        """What it does, takes and answers."""

    @property
    def is_public(self) -> bool:
        """Whether it answers without an API key, too."""


def document(routes: Sequence[DescribedRoute]) -> Schema:
    """The document about all routes."""
    used = {error_form(path) for route in routes for path in route.paths}
    forms = [form for form in ErrorForm if form in used]
    return {
        "openapi": VERSION,
        "info": {"title": "Slotline", "version": API_VERSION, "description": _ABOUT},
        "servers": [{"url": "."}],
        "tags": [{"name": name, "description": about} for name, about in TAGS.items()],
        "paths": _paths(routes),
        "components": {
            "schemas": {**_named_schemas(routes), **error_schemas(forms)},
            "responses": error_answers(forms),
            "securitySchemes": {
                _KEY: {"type": "http", "scheme": "bearer", "description": "A key of the server, if it has any."},
                _KEY_HEADER: {"type": "apiKey", "in": "header", "name": "X-Api-Key", "description": "The same."},
            },
        },
    }


def _named_schemas(routes: Iterable[DescribedRoute]) -> dict[str, Schema]:
    return {name: schema for route in routes for name, schema in route.operation.schemas.items()}


def _paths(routes: Iterable[DescribedRoute]) -> dict[str, Schema]:
    paths: dict[str, Schema] = {}
    for route in routes:
        main, *aliases = (_VARIABLE.sub(r"{\1}", path) for path in route.paths)
        for path in (main, *aliases):
            known = paths.setdefault(path, {})
            described = _operation(path, route.operation, is_public=route.is_public)
            if known:
                described["operationId"] = f"{route.method.lower()}_{described['operationId']}"
            if path != main:
                described["description"] = f"The same as {main}."
            known[route.method.lower()] = described
    return paths


def _operation(path: str, operation: Operation, *, is_public: bool) -> Schema:
    described: Schema = {
        "operationId": re.sub(r"\W+", "_", path).strip("_") or "page",
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description.strip(),
        # Without API keys, no route needs one.
        "security": [] if is_public else [{}, {_KEY: []}, {_KEY_HEADER: []}],
        "responses": {
            **{str(status): _answer(status, content) for status, content in operation.answers.items()},
            **error_refs({400, *operation.errors}, error_form(path)),
        },
    }
    parameters = [
        *(_path_parameter(name, about, operation) for name, about in operation.variable.items()),
        *(_query_parameter(name, about, operation) for name, about in operation.query.items()),
        _SHAPE,
        *({"name": name, "in": "header", "schema": schema} for name, schema in operation.headers.items()),
    ]
    described["parameters"] = parameters
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": {JSON: {"schema": operation.body()}}}
    return described


def _answer(status: int, content: Mapping[str, Schema]) -> Schema:
    return {
        "description": STATUSES[status].description if status in STATUSES else "What was asked for.",
        "content": {kind: {"schema": schema} for kind, schema in content.items()},
    }


def _path_parameter(name: str, description: str, operation: Operation) -> Schema:
    schema = operation.parameters.get(name, STRING)
    return {"name": name, "description": description, "schema": schema, "in": "path", "required": True}


def _query_parameter(name: str, description: str, operation: Operation) -> Schema:
    described: Schema = {"name": name, "description": description, "schema": STRING, "in": "query"}
    if name in operation.parameters:
        return described | {"schema": operation.parameters[name], "required": True}
    return described | {"allowEmptyValue": True}
