"""The OpenAPI document: valid, complete, and right about errors and routes that are off."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
from grpc import StatusCode
from schemathesis.specs.openapi.definitions import OPENAPI_31

from rest_adapter.apis.common.priority import priority_of
from rest_adapter.apis.routes import ROUTES
from rest_adapter.config import RestConfig
from rest_adapter.core.calls import EMBED
from rest_adapter.errors import (
    AdapterError,
    Crowded,
    ForeignOrigin,
    InvalidBody,
    InvalidRequest,
    Misdirected,
    NotAllowed,
    NotOffered,
    Overloaded,
    RpcFailure,
    Unauthorized,
)
from rest_adapter.http.error_forms import ErrorForm, error_body, error_form
from rest_adapter.http.http_errors import http_error
from rest_adapter.json.encoding import encode
from rest_adapter.openapi.document import document
from rest_adapter.openapi.error_answers import STATUSES
from tests.support.memory_core import MemoryCore
from tests.unit.rest_adapter.clients import client_of

if TYPE_CHECKING:
    from collections.abc import Iterator


DOCUMENT = document(ROUTES)
FORMS = {error_form(path) for route in ROUTES for path in route.paths}


def walk(value: object) -> Iterator[dict[str, Any]]:
    """All objects in a document."""
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(item)


def test_the_document_is_valid() -> None:
    jsonschema_rs.validator_for(OPENAPI_31).validate(DOCUMENT)
    operations = [operation for path in DOCUMENT["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    for one in walk(DOCUMENT):
        if "$ref" in one:
            *_, kind, name = one["$ref"].split("/")
            assert name in DOCUMENT["components"][kind]


def test_every_schema_is_valid() -> None:
    schemas = [one["schema"] for one in walk(DOCUMENT) if isinstance(one.get("schema"), dict)]
    schemas.extend(DOCUMENT["components"]["schemas"].values())
    assert len(schemas) > 50
    for schema in schemas:
        jsonschema_rs.meta.validate(schema | {"$schema": "https://json-schema.org/draft/2020-12/schema"})


def test_every_route_is_described_and_nothing_else() -> None:
    described = {(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert described == {
        (route.method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path)) for route in ROUTES for path in route.paths
    }


def test_the_marks_on_routes_that_need_a_key() -> None:
    open_paths = {path for route in ROUTES if route.is_public for path in route.paths}
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            assert operation["security"] == ([] if path in open_paths else [{}, {"apiKey": []}, {"apiKeyHeader": []}])
            assert ("401" in operation["responses"]) is (path not in open_paths)


def test_components_are_used() -> None:
    text = json.dumps(DOCUMENT)
    # The core asks nobody who has a key for permission; all OpenAI routes are there, and any model will do.
    never_sent = {("responses", STATUSES[403].answer(form)) for form in ErrorForm}
    never_sent |= {("responses", STATUSES[404].answer(form)) for form in (ErrorForm.OPENAI, ErrorForm.ANTHROPIC)}
    for kind in ("schemas", "responses"):
        for name in DOCUMENT["components"][kind]:
            if (kind, name) not in never_sent:
                assert f'"#/components/{kind}/{name}"' in text


@pytest.mark.parametrize(
    "error",
    [
        InvalidRequest("a", "b"),
        InvalidBody("a"),
        Unauthorized("a"),
        Overloaded(1),
        Crowded(),
        ForeignOrigin("a"),
        Misdirected("a"),
        NotOffered("a"),
        NotAllowed("a", "b"),
        *(
            RpcFailure(status, reason, "a")
            for status in StatusCode
            if status is not StatusCode.OK
            for reason in ("", "OTHER")
        ),
        *(
            RpcFailure(status, reason, "a", violations=(("sampling.top_k", "a"),))
            for status, reason in (
                (StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT"),
                (StatusCode.INVALID_ARGUMENT, "CONTEXT_LENGTH_EXCEEDED"),
                (StatusCode.NOT_FOUND, "MODEL_NOT_FOUND"),
                (StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL"),
            )
        ),
    ],
    ids=repr,
)
def test_every_error_is_documented(error: AdapterError) -> None:
    told = http_error(error)
    status = STATUSES[told.status]
    assert told.type in status.types
    for form in FORMS:
        response = DOCUMENT["components"]["responses"][status.answer(form)]
        body = error_body(form, told, "req_1")
        jsonschema_rs.validate(response["content"]["application/json"]["schema"], body)
        jsonschema_rs.validate(DOCUMENT["components"]["schemas"][f"{form.value}Error"], body)


def test_every_type_of_errors_is_one_that_there_is() -> None:
    told = {
        http_error(RpcFailure(status, reason, "")).type
        for status in StatusCode
        for reason in ("", "CONTEXT_LENGTH_EXCEEDED", "QUEUE_FULL")
    } | {http_error(Unauthorized("")).type}
    assert told == {kind for status in STATUSES.values() for kind in status.types}


def test_the_document_is_served_to_everybody() -> None:
    core = MemoryCore()
    texts = {
        client_of(core, config).get("/openapi.json").data
        for config in (RestConfig(), RestConfig(api_keys=("k",), metrics=True, slots_endpoint=False))
    }
    assert texts == {encode(DOCUMENT)}
    assert core.unary_requests == []
    response = client_of(core).get("/openapi.json")
    assert response.content_type == "application/json"


@pytest.mark.parametrize(
    ("method", "path", "status"), [("get", "/metrics", 404), ("get", "/slots", 404), ("post", "/embedding", 501)]
)
def test_routes_that_are_off_answer_as_documented(method: str, path: str, status: int) -> None:
    off = RpcFailure(StatusCode.UNIMPLEMENTED, "NOT_SUPPORTED", "embeddings are off")
    client = client_of(MemoryCore(unary={EMBED.path: off}), RestConfig(slots_endpoint=False))
    response = client.open(path, method=method.upper(), data=b'{"content":"a"}')
    assert response.status_code == status
    assert str(status) in DOCUMENT["paths"][path][method]["responses"]


def test_generations_tell_the_bounds_of_priorities_and_nothing_else_has_any() -> None:
    described = {
        (method, path): parameter["schema"]
        for path, operations in DOCUMENT["paths"].items()
        for method, operation in operations.items()
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "header"
    }
    generations = {
        (method, path)
        for path, operations in DOCUMENT["paths"].items()
        for method, operation in operations.items()
        if operation["tags"] == ["generation"]
    }
    assert described.keys() == generations
    assert ("post", "/completion") in generations
    for schema in described.values():
        for value in (schema["minimum"], schema["default"], schema["maximum"]):
            assert priority_of([str(value)]) == value
        for value in (schema["minimum"] - 1, schema["maximum"] + 1):
            with pytest.raises(InvalidRequest):
                priority_of([str(value)])
    assert priority_of([]) == 0
