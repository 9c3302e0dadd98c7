"""Schemas before they are compiled: what is refused and where, and what is left out because it says nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.constraints.schema import (
    MAX_DEPTH,
    MAX_OPTIONAL_PROPERTIES,
    MAX_PATTERN_BYTES,
    MAX_SCHEMA_BYTES,
    UNSUPPORTED,
    prepare_schema,
    read_schema,
)
from service.constraints.spec import JsonStyle, UnusableConstraint


def prepared(schema: dict[str, Any], style: JsonStyle | None = None) -> dict[str, Any]:
    """What the library gets of a schema."""
    copy = read_schema(json.dumps(schema))
    prepare_schema(copy, style or JsonStyle())
    return copy


def problem(schema: dict[str, Any]) -> str:
    with pytest.raises(UnusableConstraint) as caught:
        prepared(schema)
    return str(caught.value)


@pytest.mark.parametrize("keyword", sorted(UNSUPPORTED))
@pytest.mark.parametrize(
    ("path", "around"),
    [
        ("", lambda inner: inner),
        ("/properties/a", lambda inner: {"properties": {"a": inner}}),
        ("/properties/a~1b~0c", lambda inner: {"properties": {"a/b~c": inner}}),
        ("/patternProperties/^x", lambda inner: {"patternProperties": {"^x": inner}}),
        ("/additionalProperties", lambda inner: {"additionalProperties": inner}),
        ("/items", lambda inner: {"items": inner}),
        ("/items/1", lambda inner: {"items": [{}, inner]}),
        ("/prefixItems/0", lambda inner: {"prefixItems": [inner]}),
        ("/allOf/0/anyOf/1", lambda inner: {"allOf": [{"anyOf": [True, inner]}]}),
        ("/oneOf/0/items", lambda inner: {"oneOf": [{"items": inner}]}),
        ("/$defs/d", lambda inner: {"$defs": {"d": inner}, "$ref": "#/$defs/d"}),
        ("/deep/er/1", lambda inner: {"deep": {"er": [{}, inner]}, "items": {"$ref": "#/deep/er/1"}}),
        ("/a b/c", lambda inner: {"a b": {"c": inner}, "$ref": "#/a%20b/c"}),
    ],
)
def test_a_keyword_that_cannot_be_enforced_is_refused_by_path(path: str, keyword: str, around: Any) -> None:
    assert problem(around({keyword: {"type": "string"}})).replace("%20", " ") == (
        f"{path}/{keyword} is not supported; leave it out"
    )


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"items": {"format": "iban"}}, '/items/format: "iban" is not supported; allowed are date, date-time, '),
        ({"properties": {"a": {"$ref": "http://x/y"}}}, "/properties/a/$ref: 'http://x/y' is elsewhere"),
        ({"$ref": "other.json#/a"}, "/$ref: 'other.json#/a' is elsewhere"),
        (
            {"items": {"properties": {f"p{n}": {} for n in range(MAX_OPTIONAL_PROPERTIES + 1)}}},
            f"/items/properties: {MAX_OPTIONAL_PROPERTIES + 1} may be left out; allowed are at most",
        ),
        ({"pattern": "a" * (MAX_PATTERN_BYTES + 1)}, f"bytes of patterns; allowed are at most {MAX_PATTERN_BYTES}"),
        ({"patternProperties": {f"^{n}$": {} for n in range(101)}}, "has 101 entries of patternProperties"),
        ({"multipleOf": 99_991}, "values of multipleOf that are too large"),
        ({"properties": {str(n): {"multipleOf": 0.9 + n / 10_000} for n in range(9)}}, "values of multipleOf"),
        ({"allOf": [{"multipleOf": 997}, {"multipleOf": 0.991}]}, "values of multipleOf that are too large"),
    ],
)
def test_what_would_take_too_long_is_refused(schema: dict[str, Any], text: str) -> None:
    assert text in problem(schema)


def test_properties_that_are_required_may_be_many() -> None:
    names = [f"p{number}" for number in range(1000)]
    prepared({"properties": {name: {} for name in names}, "required": names})


@pytest.mark.parametrize("values", [[1, 2, 3, 0.01], [0.25, 1e-7, 1000], [49_999], [0, -5], [True, None, "x"]])
def test_usual_multiples_are_allowed(values: list[object]) -> None:
    prepared({"prefixItems": [{"multipleOf": value} for value in values]})


def test_references_that_are_merged_again_and_again_are_refused() -> None:
    definitions: dict[str, Any] = {"a0": {"type": "integer"}}
    for number in range(18):
        below = {"$ref": f"#/$defs/a{number}", "minimum": number}
        definitions[f"a{number + 1}"] = {"properties": {"x": below, "y": below}}
    assert "has more than 10000 schemas" in problem({"$defs": definitions, "$ref": "#/$defs/a18"})
    # Where nothing is merged, each counts once.
    for schema in definitions.values():
        for one in schema.get("properties", {}).values():
            one.pop("minimum", None)
    prepared({"$defs": definitions, "$ref": "#/$defs/a18"})


def test_a_schema_may_refer_to_itself() -> None:
    tree = {"type": "object", "properties": {"children": {"items": {"$ref": "#", "description": "more"}}}}
    assert prepared(tree) == tree


def test_long_chains_of_references_are_no_burden() -> None:
    plain = {f"d{n}": {"items": {"$ref": f"#/$defs/d{n + 1}"}} for n in range(3000)}
    prepared({"$defs": plain, "$ref": "#/$defs/d0"})
    merged = {f"d{n}": {"$ref": f"#/$defs/d{n + 1}", "minimum": n} for n in range(3000)}
    assert "has more than" in problem({"$defs": merged, "$ref": "#/$defs/d0"})


@pytest.mark.parametrize(
    "harmless",
    [
        {"uniqueItems": False},
        {"not": False},
        {"propertyNames": True},
        {"unevaluatedProperties": {}},
        {"dependentRequired": {}},
    ],
)
def test_what_says_nothing_is_left_out(harmless: dict[str, Any]) -> None:
    assert prepared({"items": {"type": "array", **harmless}}) == {"items": {"type": "array"}}


def test_unknown_keywords_and_annotations_stay() -> None:
    schema = {"title": "x", "x-mine": {"not": 1}, "properties": {"not": {"type": "string"}, "uniqueItems": {}}}
    assert prepared(schema) == schema


@pytest.mark.parametrize(
    ("pattern", "stays"),
    [
        (r"^[a-z]+$", True),
        (r"\(\?=\)", True),
        (r"(?:a|b)", True),
        (r"\\1", True),
        # Zod writes e-mail addresses so.
        (r"^(?!\.)(?!.*\.\.)[A-Za-z0-9_'+\-\.]*[A-Za-z0-9_+-]@[A-Za-z0-9]+$", False),
        (r"(?=a)", False),
        (r"(?<=a)b", False),
        (r"(?<!a)b", False),
        (r"(a)\1", False),
        (r"\\(?=a)", False),
        (r"(?<n>a)\k<n>", False),
    ],
)
def test_a_lenient_style_leaves_out_patterns_that_are_not_regular(pattern: str, stays: bool) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": pattern}}}
    found = prepared(schema, JsonStyle(lenient=True))
    assert ("pattern" in found["properties"]["a"]) is stays
    assert "pattern" in prepared(schema, JsonStyle())["properties"]["a"]


def test_a_lenient_style_accepts_what_cannot_be_enforced(caplog: pytest.LogCaptureFixture) -> None:
    schema = {"properties": {"a": {"not": {}, "format": "iban"}}}
    assert prepared(schema, JsonStyle(lenient=True)) == schema
    (record,) = caplog.records
    assert record.__dict__["keywords"] == "/properties/a/not, /properties/a/format"


def test_a_lenient_style_leaves_out_patterns_that_cannot_be_used(caplog: pytest.LogCaptureFixture) -> None:
    schema = {
        "properties": {"a": {"pattern": "^(?!x)"}, "b": {"pattern": "^x"}},
        "patternProperties": {"(?=y)": {"type": "string"}, "^z": {}},
    }
    assert prepared(schema, JsonStyle(lenient=True)) == {
        "properties": {"a": {}, "b": {"pattern": "^x"}},
        "patternProperties": {"^z": {}},
    }
    (record,) = caplog.records
    assert record.__dict__["keywords"] == "/patternProperties/(?=y), /properties/a/pattern"


def test_objects_may_be_closed() -> None:
    schema = {
        "properties": {"a": {"properties": {}}, "b": {"type": "object"}, "c": {"patternProperties": {}}},
        "$defs": {"d": {"properties": {}, "additionalProperties": True}},
    }
    closed = prepared(schema, JsonStyle(disable_additional_properties=True))
    assert closed["additionalProperties"] is False
    assert [closed["properties"][name].get("additionalProperties") for name in "abc"] == [False, None, False]
    assert closed["$defs"]["d"]["additionalProperties"] is True


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is no JSON"),
        ("{", "is no JSON"),
        ('{"minimum": Infinity}', "is no JSON: Infinity is no number of JSON"),
        ("[]", "is []; allowed is an object"),
        ("true", "is true; allowed is an object"),
        ('{"a":' * 50_000, "is nested too deeply"),
        ('"' + "x" * MAX_SCHEMA_BYTES + '"', f"allowed are at most {MAX_SCHEMA_BYTES}"),
        ('{"items":' * MAX_DEPTH + "{}" + "}" * MAX_DEPTH, "is nested too deeply; allowed are 120"),
    ],
)
def test_what_is_no_schema_is_refused(text: str, reason: str) -> None:
    with pytest.raises(UnusableConstraint) as caught:
        prepare_schema(read_schema(text), JsonStyle())
    assert reason in str(caught.value)
