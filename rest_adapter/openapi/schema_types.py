"""The types of JSON Schema that bodies and answers are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_adapter.json.number_bounds import FLOAT32_MAX, INT32, UINT32

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Schema = dict[str, Any]

NULL: Schema = {"type": "null"}
STRING: Schema = {"type": "string"}
BOOLEAN: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}


def integer(bounds: tuple[int, int] = INT32) -> Schema:
    """An integer within bounds, both included."""
    low, high = bounds
    return {"type": "integer", "minimum": low, "maximum": high}


def float32() -> Schema:
    """A number within the range of a float32."""
    return {"type": "number", "minimum": -FLOAT32_MAX, "maximum": FLOAT32_MAX}


def token_id() -> Schema:
    """A token id. Whether the vocabulary has it is for the core to say."""
    return integer(UINT32)


def array(items: Schema, **bounds: int) -> Schema:
    """An array of items of one schema; ``bounds`` are ``minItems`` and ``maxItems``."""
    return {"type": "array", "items": items, **bounds}


def either(*schemas: Schema) -> Schema:
    """A value that fits at least one of the schemas."""
    return {"anyOf": list(schemas)}


def record(properties: Mapping[str, Schema], optional: Iterable[str] = ()) -> Schema:
    """An object; all of its properties are required unless they are optional."""
    left_out = set(optional)
    required = [name for name in properties if name not in left_out]
    return {"type": "object", "properties": dict(properties), **({"required": required} if required else {})}


def body(properties: Mapping[str, Schema], required: Iterable[str] = ()) -> Schema:
    """The body of a request: an object whose properties are optional unless they are required."""
    return record(properties, optional=properties.keys() - set(required))


def ref(name: str) -> Schema:
    """A reference to a schema that the document has by name."""
    return {"$ref": f"#/components/schemas/{name}"}


def nullable(schema: Schema) -> Schema:
    """What the schema allows, or null, which always means the default."""
    if "anyOf" in schema:
        return schema | {"anyOf": [*schema["anyOf"], NULL]}
    if "enum" in schema:
        return schema | {"enum": [*schema["enum"], None]}
    return schema | {"type": [schema["type"], "null"]}


def option(schema: Schema, description: str, **default: object) -> Schema:
    """A property of a request, which may be null.

    Args:
        schema: of its values.
        description: what it does, in a sentence.
        default: ``default=...`` unless there is none.
    """
    return nullable(schema) | {"description": description} | default
