"""What of a tool's schema cannot be enforced where a model does not write values as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.dialogue.chat_format import CallFormat, CallStyle
from service.dialogue.grammar.schemas import MAX_LENGTH, texts_of
from service.dialogue.parsing.schemas import kinds, resolved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.dialogue.tools import Tool

#: Of objects that are no JSON: which members there may be, beside those that are named.
_OF_OBJECTS = ("minProperties", "maxProperties", "patternProperties", "propertyNames", "dependentRequired", "allOf")
_OF_STRINGS = ("pattern", "format")
#: Of values that may be strings or not; only what is written tells which they are.
_OF_OTHERS = (
    *("minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("enum", "const", "items", "prefixItems", "minItems", "maxItems", "properties", "required"),
)
_MAX_DEPTH = 16


def unenforced(tool: Tool, form: CallFormat) -> str:
    """The path of the first keyword that arguments need not obey, "" if they obey all.

    Args:
        tool: a tool.
        form: how calls are written.
    """
    root = tool.parameters
    if form.style is CallStyle.TAGGED and form.argument_open:
        found = _tagged(root)
    elif form.style in (CallStyle.TAGGED, CallStyle.PYTHON):
        found = _loose(root, root, "", 0)
    else:
        return ""
    return next(found, "")


def _tagged(root: dict[str, Any]) -> Iterator[str]:
    schema = resolved(root, root)
    for keyword in (*_OF_OBJECTS, "anyOf", "oneOf"):
        if keyword in schema:
            yield f"/{keyword}"
    properties = schema.get("properties")
    for name, value in properties.items() if isinstance(properties, dict) else ():
        yield from _raw(value, root, f"/properties/{name}", 0)


def _raw(schema: Any, root: dict[str, Any], path: str, depth: int) -> Iterator[str]:
    """Of a value that is raw text if it is a string, and JSON otherwise."""
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return
    schema = resolved(schema, root)
    allowed = kinds(schema, root)
    if "string" not in allowed or texts_of(schema, root) is not None:
        return
    is_mixed = allowed != {"string"} or depth > 0
    for keyword in (*_OF_STRINGS, *_of_length(schema), *(_OF_OTHERS if is_mixed else ())):
        if keyword in schema:
            yield f"{path}/{keyword}"
    for keyword in ("anyOf", "oneOf", "allOf"):
        parts = schema.get(keyword)
        for index, part in enumerate(parts if isinstance(parts, list) else ()):
            yield from _raw(part, root, f"{path}/{keyword}/{index}", depth + 1)


def _loose(schema: Any, root: dict[str, Any], path: str, depth: int) -> Iterator[str]:
    """Of a value all of whose parts are almost JSON."""
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return
    schema = resolved(schema, root)
    for keyword in (*_OF_STRINGS, *_OF_OBJECTS, *_of_length(schema), "prefixItems"):
        if keyword in schema:
            yield f"{path}/{keyword}"
    properties = schema.get("properties")
    for name, value in properties.items() if isinstance(properties, dict) else ():
        yield from _loose(value, root, f"{path}/properties/{name}", depth + 1)
    yield from _loose(schema.get("items"), root, f"{path}/items", depth + 1)
    for keyword in ("anyOf", "oneOf"):
        parts = schema.get(keyword)
        for index, part in enumerate(parts if isinstance(parts, list) else ()):
            yield from _loose(part, root, f"{path}/{keyword}/{index}", depth + 1)


def _of_length(schema: dict[str, Any]) -> list[str]:
    """Lengths that are too large to be counted."""
    names = ("minLength", "maxLength")
    return [name for name in names if isinstance(schema.get(name), int) and schema[name] > MAX_LENGTH]
