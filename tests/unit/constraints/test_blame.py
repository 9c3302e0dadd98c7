"""What the library refuses without saying where: the path of the innermost part."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.constraints import blame
from service.constraints.compiler import ConstraintCompiler
from service.constraints.spec import ConstraintKind, ConstraintSpec
from service.errors import InvalidArgument
from tests.support.scripted_core import ByteVocabulary

COMPILER = ConstraintCompiler.of(ByteVocabulary())
WRONG = {"type": "integer", "minimum": 5, "maximum": 3}
WHY = "Unsatisfiable schema: minimum (5) is greater than maximum (3)"


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        (WRONG, WHY),
        ({"type": "object", "properties": {"a": {}, "b": WRONG}, "required": ["b"]}, f"/properties/b: {WHY}"),
        ({"type": "array", "minItems": 1, "items": {"allOf": [{}, WRONG]}}, f"/items/allOf/1: {WHY}"),
        (
            {"$defs": {"d": {"type": "array", "minItems": 1, "items": WRONG}}, "$ref": "#/$defs/d"},
            f"/$defs/d/items: {WHY}",
        ),
        ({"properties": {"a/b": {"type": "wrong"}}}, "/properties/a~1b: Invalid type: wrong"),
        ({"properties": {"a": {"pattern": "(?=x)"}}}, "/properties/a: regex parse error: look-around"),
        (
            {"properties": {"a": {"oneOf": [{"type": "object"}, {"properties": {}}]}}},
            "/properties/a: oneOf constraints are not supported",
        ),
        ({"properties": {"a": {"$ref": "#/nowhere"}}}, "Pointer '/nowhere' does not exist"),
        ({"properties": {"a": {"$ref": "#/$defs/d"}}, "$defs": {"d": {"type": 5}}}, "/$defs/d: type must be"),
        (
            {
                "type": "object",
                "properties": {"a": {"maxProperties": 0, "required": ["x"], "type": "object"}},
                "required": ["a"],
            },
            "/properties/a: Unsatisfiable schema: required > maxProperties",
        ),
    ],
)
def test_the_innermost_part_is_blamed(schema: dict[str, Any], problem: str) -> None:
    spec = ConstraintSpec(ConstraintKind.JSON_SCHEMA, json.dumps(schema))
    with pytest.raises(InvalidArgument) as caught:
        COMPILER.compile(spec, field="constraint.json_schema")
    assert caught.value.problem.startswith(problem), caught.value.problem


def test_a_search_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blame, "MOST_S", 0.0)
    schema = {"type": "object", "properties": {"b": {"type": "wrong"}}, "required": ["a"], "maxProperties": 0}
    spec = ConstraintSpec(ConstraintKind.JSON_SCHEMA, json.dumps(schema))
    with pytest.raises(InvalidArgument, match="json_schema: Invalid type: wrong"):
        COMPILER.compile(spec, field="constraint.json_schema")
