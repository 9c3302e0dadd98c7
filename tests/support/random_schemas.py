"""Tools with random schemas, whose keywords can be enforced in every way to write arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.dialogue.tools import Tool

if TYPE_CHECKING:
    from random import Random

_MAX_DEPTH = 2
_SCALARS = ("string", "integer", "number", "boolean", "null", "enum", "const")
_OTHERS = ("array", "object", "anyOf", "types", "any")


def random_tool(random: Random) -> Tool:
    """A tool named ``f``."""
    return Tool("f", {"type": "object", **_members(random, ["x", "y1", "long_name", "w"], 0)})


def _members(random: Random, names: list[str], depth: int) -> dict[str, Any]:
    names = names[: random.randrange(len(names))]
    return {
        "properties": {name: _schema(random, depth) for name in names},
        "required": [name for name in names if random.random() < 0.5],
    }


def _schema(random: Random, depth: int) -> dict[str, Any]:
    inner = depth + 1
    match random.choice((*_SCALARS, *_OTHERS) if depth < _MAX_DEPTH else _SCALARS):
        case "string":
            return {"type": "string", **random.choice([{}, {"maxLength": 4}, {"minLength": 2, "maxLength": 5}])}
        case "integer" | "number" as kind:
            return {"type": kind, "minimum": 0, "maximum": 9}
        case "enum":
            kinds: list[list[Any]] = [["a", "b c", "1", 'q"', "true", "null"], [1, True, None, 2.5]]
            return {"enum": random.sample(random.choice(kinds), 2)}
        case "const":
            return {"const": random.choice(["x", 5, None, ["a", 1], {"k": "v"}])}
        case "array":
            return {"type": "array", "items": _schema(random, inner), "maxItems": 2}
        case "object":
            return {
                "type": "object",
                "additionalProperties": False,
                **_members(random, ["a", "b_2", "c"], inner),
            }
        case "anyOf":
            return {"anyOf": [_schema(random, inner) for _ in range(2)]}
        case "types":
            return {"type": random.sample(["string", "integer", "boolean", "null"], 2)}
        case "any":
            return {}
        case kind:
            return {"type": kind}
