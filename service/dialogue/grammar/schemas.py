"""What the schema of a tool's arguments says to grammars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from service.dialogue.parsing.schemas import resolved

if TYPE_CHECKING:
    from service.dialogue.tools import Tool

#: Longest string, and most elements, that a grammar counts.
MAX_LENGTH = 2000
_APPLICATORS = ("$ref", "allOf", "anyOf", "oneOf", "patternProperties", "not", "if")


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument of a tool.

    Attributes:
        name: its name.
        schema: of its value.
        is_required: whether a call must have it.
    """

    name: str
    schema: Any
    is_required: bool


def closed_schema(tool: Tool) -> dict[str, Any]:
    """The schema of the arguments, without others than those that it names, unless it says so."""
    schema = dict(tool.parameters)
    if not schema:
        return {"type": "object", "additionalProperties": False}
    schema.setdefault("type", "object")
    if "properties" in schema and not any(keyword in schema for keyword in _APPLICATORS):
        schema.setdefault("additionalProperties", False)
    return schema


def arguments_of(tool: Tool) -> list[Argument] | None:
    """The arguments by name and in order; None if the schema does not say which there are."""
    return members_of(tool.parameters, tool.parameters) if tool.parameters else []


def members_of(schema: dict[str, Any], root: dict[str, Any]) -> list[Argument] | None:
    """The members of an object by name and in order; None if the schema does not say which there are."""
    schema = resolved(schema, root)
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return None
    required = schema.get("required")
    names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
    others = [name for name in names if name not in properties]
    return [
        *(Argument(name, value, name in names) for name, value in properties.items()),
        *(Argument(name, {}, True) for name in others),
    ]


def texts_of(schema: Any, root: dict[str, Any]) -> list[str] | None:
    """The only texts that a string may be; None if there are others."""
    if not isinstance(schema, dict):
        return None
    schema = resolved(schema, root)
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        return None
    return values


def length_of(schema: Any, root: dict[str, Any]) -> str:
    """How many characters a string may have, as a quantifier."""
    if not isinstance(schema, dict):
        return "*"
    schema = resolved(schema, root)
    return quantifier(schema.get("minLength"), schema.get("maxLength"))


def quantifier(least: Any, most: Any) -> str:
    """How often something comes; numbers that are none, or too large, are no bounds."""
    bounds = [value if isinstance(value, int) and 0 <= value <= MAX_LENGTH else None for value in (least, most)]
    if bounds == [None, None]:
        return "*"
    return f"{{{bounds[0] or 0},{'' if bounds[1] is None else bounds[1]}}}"
