"""Structs as parsers of bodies: what is wrong is named, with its value and what is allowed."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest

from rest_adapter.errors import INVALID_TYPE, INVALID_VALUE, MISSING, InvalidRequest
from rest_adapter.json.typed import read_typed


class Text(msgspec.Struct, tag="text"):
    text: str


class Use(msgspec.Struct, tag="use"):
    input: dict[str, Any]


class Turn(msgspec.Struct):
    role: Literal["user", "assistant"]
    content: str | list[Text | Use]


class Body(msgspec.Struct):
    messages: list[Turn]
    few: Annotated[int, msgspec.Meta(ge=0, le=9)] | None = None
    heat: float | None = None
    is_on: bool | None = None
    names: Annotated[list[str], msgspec.Meta(max_length=1)] | None = None


def test_what_is_allowed_is_read_and_other_keys_are_ignored() -> None:
    body = read_typed(
        Body,
        {
            "messages": [{"role": "user", "content": [{"type": "use", "input": {"b": 1, "a": 2}, "more": 1}]}],
            "few": None,
            "heat": 1,
            "other": 5,
        },
    )
    assert body == Body([Turn("user", [Use({"b": 1, "a": 2})])], heat=1.0)
    assert isinstance(body.messages[0].content[0], Use)
    assert list(body.messages[0].content[0].input) == ["b", "a"]


@pytest.mark.parametrize(
    ("body", "name", "problem", "code"),
    [
        ({}, "messages", "is missing", MISSING),
        ({"messages": 5}, "messages", "5 is not an array", INVALID_TYPE),
        ({"messages": [5]}, "messages[0]", "5 is not an object", INVALID_TYPE),
        ({"messages": [{}]}, "messages[0].role", 'is missing; send "assistant" or "user"', MISSING),
        (
            {"messages": [{"role": "cat", "content": ""}]},
            "messages[0].role",
            '"cat" is not "assistant" or "user"',
            INVALID_VALUE,
        ),
        (
            {"messages": [{"role": "user", "content": 5}]},
            "messages[0].content",
            "5 is not a string or an array",
            INVALID_TYPE,
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image"}]}]},
            "messages[0].content[0].type",
            '"image" is not "text" or "use"',
            INVALID_VALUE,
        ),
        (
            {"messages": [{"role": "user", "content": [{}]}]},
            "messages[0].content[0].type",
            'is missing; send "text" or "use"',
            MISSING,
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": None}]}]},
            "messages[0].content[0].text",
            "null is not a string",
            INVALID_TYPE,
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "use", "input": "{}"}]}]},
            "messages[0].content[0].input",
            '"{}" is not an object',
            INVALID_TYPE,
        ),
        ({"messages": [], "few": -1}, "few", "-1 is not an integer of at least 0", INVALID_TYPE),
        ({"messages": [], "few": 10}, "few", "10 is not an integer of at most 9", INVALID_TYPE),
        ({"messages": [], "few": 1.5}, "few", "1.5 is not an integer", INVALID_TYPE),
        ({"messages": [], "few": True}, "few", "true is not an integer", INVALID_TYPE),
        ({"messages": [], "heat": "x"}, "heat", '"x" is not a number', INVALID_TYPE),
        ({"messages": [], "is_on": 1}, "is_on", "1 is not true or false", INVALID_TYPE),
        ({"messages": [], "names": ["a", "b"]}, "names", "is not an array of length at most 1", INVALID_TYPE),
        ({"messages": [], "names": [{"a.b": 1}]}, "names[0]", '{"a.b":1} is not a string', INVALID_TYPE),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, object], name: str, problem: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read_typed(Body, body)
    error = raised.value
    assert (error.name, error.code) == (name, code)
    assert problem in error.message
