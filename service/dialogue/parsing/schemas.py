"""What a schema says about values that are not written as JSON."""

from __future__ import annotations

import json
from typing import Any

_ALL = frozenset({"string", "number", "integer", "boolean", "null", "array", "object"})
_MAX_DEPTH = 16
_PYTHON_WORDS = {"True": "true", "False": "false", "None": "null"}


def property_schema(parameters: dict[str, Any], name: str) -> Any:
    """The schema of an argument; an empty one if it is not declared."""
    properties = resolved(parameters, parameters).get("properties")
    schema = properties.get(name) if isinstance(properties, dict) else None
    return schema if schema is not None else {}


def kinds(schema: Any, root: dict[str, Any], depth: int = 0) -> frozenset[str]:
    """The types that a value may have under a schema, by their names in JSON Schema.

    Args:
        schema: of the value.
        root: what references in it refer to.
        depth: of nested calls.
    """
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return _ALL
    schema = resolved(schema, root)
    found = _ALL
    declared = schema.get("type")
    if isinstance(declared, str):
        found &= {declared}
    elif isinstance(declared, list):
        found &= {name for name in declared if isinstance(name, str)}
    if "const" in schema:
        found &= {kind(schema["const"])}
    if isinstance(schema.get("enum"), list):
        found &= {kind(value) for value in schema["enum"]}
    for keyword in ("anyOf", "oneOf"):
        if isinstance(schema.get(keyword), list):
            found &= frozenset[str]().union(*(kinds(part, root, depth + 1) for part in schema[keyword]))
    if isinstance(schema.get("allOf"), list):
        for part in schema["allOf"]:
            found &= kinds(part, root, depth + 1)
    return frozenset(found) | ({"integer"} if "number" in found else set())


def kind(value: Any) -> str:
    """The type of a value of JSON."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"


def as_json(text: str, allowed: frozenset[str]) -> str:
    """A raw value as JSON: itself if it is JSON of an allowed type, otherwise a string if that is allowed.

    Args:
        text: as it was written.
        allowed: from ``kinds``.
    """
    trimmed = text.strip()
    word = _PYTHON_WORDS.get(trimmed, trimmed)
    try:
        value = json.loads(word, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return json.dumps(text, ensure_ascii=False)
    if kind(value) in allowed or "string" not in allowed:
        return word
    return json.dumps(text, ensure_ascii=False)


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def resolved(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """A schema, or the one in the same document that it refers to."""
    for _ in range(_MAX_DEPTH):
        reference = schema.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#"):
            break
        target: Any = root
        for step in reference[1:].split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            target = target.get(key) if isinstance(target, dict) else None
        if not isinstance(target, dict):
            break
        schema = target
    return schema
