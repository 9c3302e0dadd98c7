"""Fields that are refused unless their value changes nothing, as properties of bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.json.number_bounds import INT32
from rest_adapter.openapi.schema_types import NULL, Schema, either, integer, nullable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rest_adapter.apis.common.unsupported import Unsupported


def unsupported(fields: Iterable[Unsupported]) -> dict[str, Schema]:
    """A property for each field."""
    return {field.name: _schema(field) | {"description": f"Not supported. It would {field.does}."} for field in fields}


def _schema(field: Unsupported) -> Schema:
    schemas: list[Schema] = []
    if field.harmless:
        schemas.append({"enum": list(field.harmless)})
    if field.most is not None:
        schemas.append(integer((INT32[0], field.most)))
    if not schemas:
        return NULL
    return nullable(schemas[0] if len(schemas) == 1 else either(*schemas))
