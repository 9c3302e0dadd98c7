"""Pieces of JSON Schema that bodies and answers are made of."""

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
    """A number that fits into a float32."""
    return {"type": "number", "minimum": -FLOAT32_MAX, "maximum": FLOAT32_MAX}


def token_id() -> Schema:
    """A token id."""
    return integer(UINT32)


def array(items: Schema, **bounds: int) -> Schema:
    """An array of like items; ``bounds`` are ``minItems`` and ``maxItems``."""
    return {"type": "array", "items": items, **bounds}


def either(*forms: Schema) -> Schema:
    """A value that has one of the forms."""
    return {"anyOf": list(forms)}


def record(properties: Mapping[str, Schema], optional: Iterable[str] = ()) -> Schema:
    """An object; all of its properties are required unless they are optional."""
    left_out = set(optional)
    required = [name for name in properties if name not in left_out]
    return {"type": "object", "properties": dict(properties), **({"required": required} if required else {})}


def body(properties: Mapping[str, Schema], required: Iterable[str] = ()) -> Schema:
    """An object of a request, whose properties are optional unless they are required."""
    return record(properties, optional=properties.keys() - set(required))


def ref(name: str) -> Schema:
    """A schema that the document has by name."""
    return {"$ref": f"#/components/schemas/{name}"}


def nullable(form: Schema) -> Schema:
    """The form, or null, which always means the default."""
    if "anyOf" in form:
        return form | {"anyOf": [*form["anyOf"], NULL]}
    if "enum" in form:
        return form | {"enum": [*form["enum"], None]}
    return form | {"type": [form["type"], "null"]}


def option(form: Schema, about: str, **default: object) -> Schema:
    """A property of a request: null is allowed, and the words and the default are told.

    Args:
        form: what values look like.
        about: what the option does, in a sentence.
        default: ``default=...`` unless there is none.
    """
    return nullable(form) | {"description": about} | default
