"""Schemas of Python types, and values of such JSON."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import jsonschema
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slotline.client.schema import schema_of
from slotline.client.values import value_of


class Color(enum.Enum):
    """An enumeration."""

    RED = "red"
    NONE = None


@dataclass
class Point:
    """A dataclass."""

    x: float
    y: float = 0.0
    tags: list[str] = field(default_factory=list)
    norm: float = field(init=False, default=0.0)


class Person(TypedDict):
    """A typed dictionary."""

    name: str
    age: NotRequired[int]


class City(pydantic.BaseModel):
    """A model."""

    name: str
    size: int = 0


class Country(pydantic.BaseModel):
    """A model that holds another one."""

    capital: City


@dataclass
class Node:
    """A type that refers to itself."""

    children: list[Node]


@dataclass
class Pair:
    """A dataclass that holds models."""

    first: Country
    second: City


KINDS: list[tuple[Any, dict[str, Any]]] = [
    (str, {"type": "string"}),
    (int, {"type": "integer"}),
    (float, {"type": "number"}),
    (bool, {"type": "boolean"}),
    (None, {"type": "null"}),
    (Any, {}),
    (list, {"type": "array", "items": {}}),
    (list[int], {"type": "array", "items": {"type": "integer"}}),
    (Sequence[str], {"type": "array", "items": {"type": "string"}}),
    (set[str], {"type": "array", "items": {"type": "string"}}),
    (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
    (
        tuple[int, str],
        {
            "type": "array",
            "prefixItems": [{"type": "integer"}, {"type": "string"}],
            "items": False,
            "minItems": 2,
            "maxItems": 2,
        },
    ),
    (dict, {"type": "object", "additionalProperties": True}),
    (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
    (Mapping[str, bool], {"type": "object", "additionalProperties": {"type": "boolean"}}),
    (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
    (Literal["a", 1], {"enum": ["a", 1]}),
    (Color, {"enum": ["red", None]}),
    (Annotated[int, "how many", {"not": "text"}], {"type": "integer", "description": "how many"}),
    (
        Point,
        {
            "type": "object",
            "properties": {
                "x": {"type": "number"},
                "y": {"type": "number"},
                "tags": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["x"],
            "additionalProperties": False,
        },
    ),
    (
        Person,
        {
            "type": "object",
            "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
            "required": ["name"],
            "additionalProperties": False,
        },
    ),
    (Country, Country.model_json_schema()),
]


@pytest.mark.parametrize(("kind", "schema"), KINDS, ids=[str(row[0]) for row in KINDS])
def test_a_type_has_its_schema(kind: Any, schema: dict[str, Any]) -> None:
    assert schema_of(kind) == schema
    jsonschema.Draft202012Validator.check_schema(schema)


PLAIN: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text(),
    "integer": st.integers(-(2**53), 2**53),
    "number": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "null": st.none(),
}


def instances(schema: dict[str, Any], root: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What obeys a schema, with the keywords that schemas of types have."""
    of = partial(instances, root=root)
    match schema:
        case {"$ref": reference}:
            return of(root["$defs"][reference.removeprefix("#/$defs/")])
        case {"enum": values}:
            return st.sampled_from(values)
        case {"anyOf": kinds}:
            return st.one_of([of(kind) for kind in kinds])
        case {"prefixItems": items}:
            return st.tuples(*map(of, items)).map(list)
        case {"type": "array", "items": items}:
            return st.lists(of(items), max_size=3)
        case {"type": "object", "properties": properties}:
            needed = schema.get("required", [])
            return st.fixed_dictionaries(
                {name: of(properties[name]) for name in needed},
                optional={name: of(one) for name, one in properties.items() if name not in needed},
            )
        case {"type": "object", "additionalProperties": values}:
            return st.dictionaries(st.text(), of({} if values is True else values), max_size=3)
        case {"type": kind}:
            return PLAIN[kind]
    return st.sampled_from([None, 1, "a", [], {}])


@pytest.mark.parametrize("kind", [row[0] for row in KINDS] + [Pair, list[Point | Person]])
@given(data=st.data())
def test_whatever_obeys_the_schema_is_a_value_of_the_type(kind: Any, data: st.DataObject) -> None:
    schema = schema_of(kind)
    drawn = data.draw(instances(schema, schema))
    jsonschema.validate(drawn, schema)
    value = value_of(drawn, kind, "it")
    if kind in (str, int, float, bool, Color, Point, Country, Pair):
        assert isinstance(value, kind)


def test_values_are_of_their_types() -> None:
    assert value_of({"x": 1, "tags": ["a"]}, Point, "it") == Point(1.0, 0.0, ["a"])
    assert value_of({"name": "Ann"}, Person, "it") == {"name": "Ann"}
    assert value_of({"capital": {"name": "Rome"}}, Country, "it") == Country(capital=City(name="Rome"))
    assert value_of([1, "a"], tuple[int, str], "it") == (1, "a")
    assert value_of(["a", "a"], set[str], "it") == {"a"}
    assert value_of(2.0, int, "it") == 2
    assert value_of(10**400, int, "it") == 10**400
    assert value_of("red", Color, "it") is Color.RED
    pair = {"first": {"capital": {"name": "Rome"}}, "second": {"name": "Bern", "size": 2}}
    assert value_of(pair, Pair, "it").second == City(name="Bern", size=2)


def test_what_models_refer_to_comes_to_the_root_of_the_document() -> None:
    schema = schema_of(Pair)
    assert list(schema["$defs"]) == ["City"]
    assert "$defs" not in schema["properties"]["first"]
    jsonschema.validate({"first": {"capital": {"name": "a"}}, "second": {"name": "b"}}, schema)


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (str, 1, "it: 1 is not a text"),
        (int, 1.5, "it: 1.5 is not a whole number"),
        (int, True, "it: True is not a whole number"),
        (float, "1", "it: '1' is not a number"),
        (bool, 1, "it: 1 is not true or false"),
        (None, 0, "it: 0 is not null"),
        (list[int], {}, "it: {} is not a list"),
        (list[int], [1, "a"], "it[1]: 'a' is not a whole number"),
        (dict[str, int], {"a": "b"}, "it.a: 'b' is not a whole number"),
        (tuple[int, str], [1], "it: [1] is not a list of 2"),
        (int | None, "a", "it: 'a' is not a whole number; it: 'a' is not null"),
        (Literal[1], True, "it: True is not one of (1,)"),
        (Color, "blue", "it: 'blue' is not one of ['red', None]"),
        (Point, {}, "it: x is missing"),
        (Point, {"x": 1, "z": 2}, "it: z is unknown; known are x, y, tags"),
        (Person, [], "it: [] is not an object"),
    ],
)
def test_what_does_not_fit_is_named(kind: Any, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match="it") as caught:
        value_of(value, kind, "it")
    assert str(caught.value) == message


class Plain:
    """A type without fields."""


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Plain, "Plain: the type Plain has no JSON Schema here; known are str, int"),
        (list[bytes], "list: the type bytes has no JSON Schema here"),
        (dict[int, str], "dict: keys of JSON objects are texts, not <class 'int'>"),
        (Node, "Node.children: Node refers to itself"),
    ],
)
def test_types_without_a_schema_are_named(kind: Any, message: str) -> None:
    with pytest.raises(TypeError) as caught:
        schema_of(kind)
    assert str(caught.value).startswith(message)


def test_two_models_of_one_name_are_refused() -> None:
    def other() -> Any:
        class City(pydantic.BaseModel):
            """Another one."""

            river: str

        return pydantic.create_model("Holder", city=(City, ...))

    with pytest.raises(TypeError, match=r"tuple: there are two types named City; give them names of their own"):
        schema_of(tuple[Country, other()])  # type: ignore[misc]
