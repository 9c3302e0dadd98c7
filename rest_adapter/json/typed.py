"""JSON objects as structs: the class of a body is its parser and, in ``openapi.typed``, its description."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec.inspect import ListType, LiteralType, StructType, Type, UnionType, type_info

from rest_adapter.errors import INVALID_TYPE, INVALID_VALUE, MISSING, InvalidRequest
from rest_adapter.json.encoding import show

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Body = TypeVar("Body", bound=msgspec.Struct)

#: What msgspec says of a value, and where the value is.
_PROBLEM = re.compile(r"(?P<problem>.*?)(?: - at `\$\.?(?P<path>.*)`)?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.+)`")
_EXPECTED = re.compile(r"Expected `([^`]+)`(.*?)(?:, got .*)?")
_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_WORDS: Mapping[str, str] = {
    "array": "an array",
    "bool": "true or false",
    "float": "a number",
    "int": "an integer",
    "object": "an object",
    "str": "a string",
}
#: Conditions on lengths and numbers.
_CONDITIONS: Mapping[str, str] = {
    " of length >= ": " of length at least ",
    " of length <= ": " of length at most ",
    " >= ": " of at least ",
    " <= ": " of at most ",
    " > ": " above ",
    " < ": " below ",
}


def read_typed(kind: type[Body], value: Mapping[str, object]) -> Body:
    """A JSON object as a struct. Keys that the struct does not have are ignored.

    Raises:
        InvalidRequest: a field is missing, or has a value that its type does not allow; it is named.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _refusal(kind, value, str(error)) from None


def _refusal(kind: type[msgspec.Struct], body: object, text: str) -> InvalidRequest:
    """The error for what msgspec says of a body."""
    found = _PROBLEM.fullmatch(text)
    assert found is not None
    problem, path = found["problem"], found["path"] or ""
    if missing := _MISSING.fullmatch(problem):
        name = f"{path}.{missing[1]}" if path else missing[1]
        allowed = _listed(_allowed(kind, name))
        return InvalidRequest(name, f"is missing; send {allowed}" if allowed else "is missing", MISSING)
    value = _value_at(body, path)
    if expected := _EXPECTED.fullmatch(problem):
        return InvalidRequest(path, f"{show(value)} is not {_words(expected[1], expected[2])}", INVALID_TYPE)
    return InvalidRequest(path, f"{show(value)} is not {_listed(_allowed(kind, path))}", INVALID_VALUE)


def _words(types: str, condition: str) -> str:
    for mark, words in _CONDITIONS.items():
        condition = condition.replace(mark, words)
    return " or ".join(_WORDS[name] for name in types.split(" | ") if name != "null") + condition


def _listed(values: Iterable[object]) -> str:
    *others, last = [show(value) for value in values] or [""]
    return f"{', '.join(others)} or {last}" if others else last


def _steps(path: str) -> Iterator[str | int]:
    for index, name in _STEP.findall(path):
        yield int(index) if index else name


def _value_at(value: object, path: str) -> object:
    for step in _steps(path):
        value = value[step]  # type: ignore[index]
    return value


@lru_cache
def _allowed(kind: type[msgspec.Struct], path: str) -> tuple[object, ...]:
    """The words that may be at a path; none if it is not limited to some."""
    places: list[Type] = [type_info(kind)]
    words: list[object] = []
    for step in _steps(path):
        # Which of several structs is meant is said in the field that has the tag.
        structs = [place for place in places if isinstance(place, StructType)]
        words = [one.tag for one in structs if one.tag_field == step]
        if isinstance(step, int):
            lists = [place.item_type for place in places if isinstance(place, ListType)]
            places = [one for item in lists for one in _alternatives(item)]
        else:
            fields = [field.type for one in structs for field in one.fields if field.encode_name == step]
            places = [one for field in fields for one in _alternatives(field)]
    literals = [value for place in places if isinstance(place, LiteralType) for value in place.values]
    return tuple(dict.fromkeys([*words, *literals]))


def _alternatives(kind: Type) -> tuple[Type, ...]:
    return kind.types if isinstance(kind, UnionType) else (kind,)
