"""Values held to what the OpenAPI document says about them."""

from __future__ import annotations

from typing import Any

import jsonschema_rs

from rest_adapter.apis.routes import ROUTES
from rest_adapter.openapi.document import document
from tests.unit.rest_adapter.messages import plain

_COMPONENTS = document(ROUTES)["components"]
_VALIDATORS: dict[str, Any] = {}


def described(value: object, schema: str) -> Any:
    """The value as a client reads it.

    Args:
        value: what would be sent.
        schema: name of the schema in the document that it must fit.

    Raises:
        jsonschema_rs.ValidationError: it does not.
    """
    shown = plain(value)
    if schema not in _VALIDATORS:
        reference = {"$ref": f"#/components/schemas/{schema}", "components": _COMPONENTS}
        _VALIDATORS[schema] = jsonschema_rs.validator_for(reference)
    _VALIDATORS[schema].validate(shown)
    return shown
