"""Structs in OpenAPI: the description of a body is made of the class that reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from rest_adapter.openapi.schema_types import Schema

_TEMPLATE = "#/components/schemas/{name}"


def struct_schema(kind: type[msgspec.Struct]) -> tuple[Schema, dict[str, Schema]]:
    """The schema of a struct, and those that it refers to by name.

    Names are those of the classes, which the whole document has but once.
    """
    _, named = msgspec.json.schema_components((kind,), ref_template=_TEMPLATE)
    own = named.pop(kind.__name__)
    own.pop("title", None)
    return own, {name: {key: value for key, value in one.items() if key != "title"} for name, one in named.items()}
