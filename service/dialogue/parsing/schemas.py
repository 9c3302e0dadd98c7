"""What a schema says about values that are not written as JSON."""

from __future__ import annotations

import json
from typing import Any

ALL_KINDS = frozenset({"string", "number", "integer", "boolean", "null", "array", "object"})
_MAX_DEPTH = 16
_PYTHON_WORDS = {"True": "true", "False": "false", "None": "null"}


class Kinds:
    """The types that values may have, by their names in JSON Schema. Each schema is looked at once.

    Args:
        root: what references refer to.
    """

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._known: dict[int, frozenset[str]] = {}

    def of(self, schema: Any, depth: int = 0) -> frozenset[str]:
        """The types of a value.

        Args:
            schema: of the value; a part of the root, or one that lives as long.
            depth: of nested calls.
        """
        if not isinstance(schema, dict) or depth > _MAX_DEPTH:
            return ALL_KINDS
        schema = resolved(schema, self._root)
        if id(schema) not in self._known:
            # A schema that refers to itself says nothing more by that.
            self._known[id(schema)] = ALL_KINDS
            self._known[id(schema)] = self._found(schema, depth)
        return self._known[id(schema)]

    def _found(self, schema: dict[str, Any], depth: int) -> frozenset[str]:
        found = ALL_KINDS
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
                found &= frozenset[str]().union(*(self.of(part, depth + 1) for part in schema[keyword]))
        if isinstance(schema.get("allOf"), list):
            for part in schema["allOf"]:
                found &= self.of(part, depth + 1)
        return found | ({"integer"} if "number" in found else set())


def kinds_of_properties(parameters: dict[str, Any]) -> dict[str, frozenset[str]]:
    """The types of the properties of an object, by their names."""
    kinds = Kinds(parameters)
    properties = resolved(parameters, parameters).get("properties")
    return {name: kinds.of(schema) for name, schema in properties.items()} if isinstance(properties, dict) else {}


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
        allowed: from ``Kinds``.
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
