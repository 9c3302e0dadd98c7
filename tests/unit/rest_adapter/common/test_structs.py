"""Bodies that are declared as structs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest

from rest_adapter.apis.common.structs import properties_of, read_struct
from rest_adapter.errors import INVALID_TYPE, INVALID_VALUE, MISSING, InvalidRequest


class Form(msgspec.Struct):
    type: str
    mode: Literal["a", "b"] | None = None


class Text(msgspec.Struct, tag="text"):
    value: str


class Number(msgspec.Struct, tag="number"):
    value: int


class Body(msgspec.Struct):
    blocks: list[Text | Number] | None = None
    text: Annotated[str | list[dict[str, Any]] | None, msgspec.Meta(description="What it says.")] = None
    n: Annotated[Annotated[int, msgspec.Meta(ge=1, le=9)] | None, msgspec.Meta(description="How many.")] = None
    least: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    form: Form | None = None
    notes: dict[str, str] | None = None
    forms: list[Form] | None = None
    is_on: bool | None = None


@pytest.mark.parametrize(
    ("value", "message", "code"),
    [
        ([], "body: [] is not an object", INVALID_TYPE),
        ({"text": 3}, "text: 3 is not a string or an array of objects", INVALID_TYPE),
        ({"text": ["a"]}, 'text[0]: "a" is not an object', INVALID_TYPE),
        ({"n": 0}, "n: 0 is not an integer from 1 to 9", INVALID_VALUE),
        ({"n": 2**70}, f"n: {2**70} is not an integer from 1 to 9", INVALID_VALUE),
        ({"n": True}, "n: true is not an integer from 1 to 9", INVALID_TYPE),
        ({"least": -1}, "least: -1 is not a number of at least 0", INVALID_VALUE),
        ({"form": {}}, "form.type: is missing; send a string", MISSING),
        ({"form": {"type": None}}, "form.type: null is not a string", INVALID_TYPE),
        ({"form": {"type": "x", "mode": "c"}}, 'form.mode: "c" is not "a" or "b"', INVALID_VALUE),
        ({"notes": {"a": "b", "c": 1}}, "notes.c: 1 is not a string", INVALID_TYPE),
        ({"forms": 1}, "forms: 1 is not an array of objects", INVALID_TYPE),
        ({"forms": [{"type": "x"}, {"type": 1}]}, "forms[1].type: 1 is not a string", INVALID_TYPE),
        ({"blocks": [{}]}, 'blocks[0].type: is missing; send "text" or "number"', MISSING),
        ({"blocks": [{"type": "x"}]}, 'blocks[0].type: "x" is not "text" or "number"', INVALID_VALUE),
        ({"blocks": [{"type": "text", "value": 1}]}, "blocks[0].value: 1 is not a string", INVALID_TYPE),
        ({"blocks": [{"type": "number", "value": "1"}]}, 'blocks[0].value: "1" is not an integer', INVALID_TYPE),
        ({"is_on": 1}, "is_on: 1 is not true or false", INVALID_TYPE),
    ],
)
def test_mistakes_name_the_field_the_value_and_what_is_allowed(value: object, message: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read_struct(value, Body)
    assert raised.value.message == message
    assert raised.value.code == code
    assert message.startswith(f"{raised.value.name}: ")


def test_a_path_stands_in_front_of_those_in_the_struct() -> None:
    with pytest.raises(InvalidRequest, match=r"^tools\[2\]\.type: is missing; send a string$"):
        read_struct({}, Form, "tools[2]")
    with pytest.raises(InvalidRequest, match=r"^tools\[2\]: 3 is not an object$"):
        read_struct(3, Form, "tools[2]")


def test_unknown_keys_are_ignored_and_null_is_the_default() -> None:
    assert read_struct({"n": None, "other": 1, "form": {"type": "t", "mode": None, "x": []}}, Body) == Body(
        form=Form("t")
    )


def test_properties_have_no_references_and_say_what_the_struct_says() -> None:
    properties = properties_of(Body)
    assert properties["text"] == {
        "description": "What it says.",
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "object"}}, {"type": "null"}],
    }
    assert properties["n"]["anyOf"] == [{"type": "integer", "minimum": 1, "maximum": 9}, {"type": "null"}]
    assert properties["blocks"]["anyOf"][0]["items"] == {
        "anyOf": [
            {
                "type": "object",
                "properties": {"type": {"enum": [tag]}, "value": {"type": kind}},
                "required": ["type", "value"],
            }
            for tag, kind in (("text", "string"), ("number", "integer"))
        ]
    }
    form = {
        "type": "object",
        "properties": {"type": {"type": "string"}, "mode": {"anyOf": [{"enum": ["a", "b"]}, {"type": "null"}]}},
        "required": ["type"],
    }
    assert properties["form"] == {"anyOf": [form, {"type": "null"}]}
    assert properties["forms"] == {"anyOf": [{"type": "array", "items": form}, {"type": "null"}]}


def test_integers_may_be_written_as_floats() -> None:
    sent = {"n": 5.0, "blocks": [{"type": "number", "value": 7.0}, {"type": "text", "value": "a"}], "least": 1.5}
    body = read_struct(sent, Body)
    assert (body.n, type(body.n), body.least) == (5, int, 1.5)
    assert body.blocks is not None
    assert isinstance(body.blocks[0], Number)
    assert body.blocks[0].value == 7
    # What answers repeat is what was sent.
    assert sent["n"] == 5.0
    assert isinstance(sent["n"], float)


@pytest.mark.parametrize(
    ("value", "name"),
    [({"n": 5.5}, "n"), ({"n": 10.0}, "n"), ({"blocks": [{"type": "number", "value": 1e999}]}, "blocks[0].value")],
)
def test_other_floats_are_no_integers(value: object, name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_struct(value, Body)
    assert caught.value.name == name


def test_a_body_has_few_integers_written_as_floats() -> None:
    with pytest.raises(InvalidRequest, match=r"blocks\[16\].value: 1.0 is not an integer"):
        read_struct({"blocks": [{"type": "number", "value": 1.0}] * 99}, Body)
