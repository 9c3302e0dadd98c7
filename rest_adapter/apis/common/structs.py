"""Bodies that are declared as ``msgspec.Struct``: reading them, and their properties in OpenAPI.

A value of another type than its field is refused with the name of the field, the value and what is allowed. Unknown
keys are ignored, and null means the default. An integer may be written as a float, as 5.0 for 5.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import inspect

from rest_adapter.apis.common.fields import refusal
from rest_adapter.errors import INVALID_TYPE, INVALID_VALUE, MISSING, InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rest_adapter.openapi.schema_types import Schema

T = TypeVar("T")

_PLACE = re.compile(r" - at `(?:key in )?\$(?P<path>.*)`$", re.DOTALL)
_STEP = re.compile(r"\.(?P<key>[^.\[]+)|\[(?P<index>\d+|\.\.\.)\]")
_FLOAT_FOR_INTEGER = re.compile(r"Expected `[^`]*\bint\b[^`]*`, got `float`")
#: Integers of a body that may be written as floats.
_MOST_FLOATS = 16
_MISSING = re.compile(r"Object missing required field `(?P<name>[^`]*)`")


def read_struct(value: object, kind: type[T], path: str = "") -> T:
    """A value of JSON as a struct.

    Args:
        value: what the JSON was decoded to.
        kind: the struct, or another type that msgspec knows.
        path: of the value in the body; "" for the body itself.

    Raises:
        InvalidRequest: the value, or one in it, is not what the struct declares.
    """
    return _read(value, kind, path, _MOST_FLOATS)


def schema_of(kind: type[msgspec.Struct]) -> Schema:
    """A struct as JSON Schema, without references."""
    schemas, components = msgspec.json.schema_components([kind], ref_template="{name}")
    (name,) = (schema["$ref"] for schema in schemas)
    schema: Schema = _inlined(components[name], components)
    return schema


def properties_of(kind: type[msgspec.Struct]) -> dict[str, Schema]:
    """The properties of a struct as JSON Schema; each may be null if it has a default."""
    properties: dict[str, Schema] = schema_of(kind)["properties"]
    return properties


def _inlined(schema: Any, components: dict[str, Any]) -> Any:
    """A schema without references, and without what says nothing: titles, and null as the default.

    Which tag belongs to which struct is said by the constants.
    """
    if isinstance(schema, list):
        return [_inlined(part, components) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        schema = components[schema["$ref"]] | {key: value for key, value in schema.items() if key != "$ref"}
    return {
        key: {name: _inlined(part, components) for name, part in value.items()}
        if key == "properties"
        else _inlined(value, components)
        for key, value in schema.items()
        if not _says_nothing(key, value)
    }


def _read(value: object, kind: type[T], path: str, n_floats: int) -> T:
    """``read_struct`` for a value in which so many integers may still be written as floats."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        changed = _with_integer(value, str(error)) if n_floats else None
        if changed is None:
            raise _refused(str(error), value, kind, path) from None
    return _read(changed, kind, path, n_floats - 1)


def _says_nothing(key: str, value: object) -> bool:
    return (
        key in ("title", "discriminator") or (key == "default" and value is None) or (key == "required" and not value)
    )


def _with_integer(value: Any, message: str) -> object | None:
    """The value with an integer in place of the float that is refused; None if that is not what is wrong with it."""
    place = _PLACE.search(message)
    if _FLOAT_FOR_INTEGER.match(message) is None or place is None or "[...]" in place["path"]:
        return None
    steps = [step["key"] or int(step["index"]) for step in _STEP.finditer(place["path"])]
    return _replaced(value, steps)


def _replaced(value: Any, steps: Sequence[str | int]) -> object | None:
    """A copy in which the float behind the steps is an integer; None if it has a fraction."""
    if not steps:
        return int(value) if value.is_integer() else None
    entry = _replaced(value[steps[0]], steps[1:])
    if entry is None:
        return None
    copy: dict[str | int, object] = value.copy()
    copy[steps[0]] = entry
    return copy


def _refused(message: str, value: object, kind: Any, path: str) -> InvalidRequest:
    place = _PLACE.search(message)
    problem = message if place is None else message[: place.start()]
    info = _info(kind)
    for step in _STEP.finditer("" if place is None else place["path"]):
        info = _chosen(info, value)
        key, value = _entry(value, info, step)
        path += f"[{key}]" if isinstance(key, int) else f".{key}" if path else key
        info = _part(info, key)
    if missing := _MISSING.match(problem):
        name = missing["name"]
        full = f"{path}.{name}" if path else name
        return InvalidRequest(full, f"is missing; send {_allowed(_part(info, name))}", MISSING)
    code = INVALID_TYPE if ", got " in problem else INVALID_VALUE
    return refusal(path or "body", value, _allowed(info), code)


@lru_cache(maxsize=64)
def _info(kind: Any) -> inspect.Type:
    return inspect.type_info(kind)


def _entry(value: Any, info: inspect.Type, step: re.Match[str]) -> tuple[str | int, object]:
    """The key or index of a step, and what is there. Of members of any name msgspec does not say which one is wrong."""
    if step["key"] is not None:
        return step["key"], value[step["key"]]
    if step["index"] != "...":
        return int(step["index"]), value[int(step["index"])]
    of_values = next(option for option in _options(info) if isinstance(option, inspect.DictType)).value_type
    return next((key, one) for key, one in value.items() if not _fits(one, of_values))


def _fits(value: object, info: inspect.Type) -> bool:
    """Whether a member of an object of strings or of anything is right."""
    return not isinstance(info, inspect.StrType) or isinstance(value, str)


def _options(info: inspect.Type) -> Iterator[inspect.Type]:
    """The types that a value may have."""
    match info:
        case inspect.Metadata():
            yield from _options(info.type)
        case inspect.UnionType():
            for option in info.types:
                yield from _options(option)
        case _:
            yield info


def _chosen(info: inspect.Type, value: object) -> inspect.Type:
    """The one of several structs that the tag in a value chooses, or the type itself."""
    for option in _options(info):
        if not isinstance(option, inspect.StructType) or option.tag_field is None:
            continue
        if isinstance(value, dict) and value.get(option.tag_field) == option.tag:
            return option
    return info


def _part(info: inspect.Type, key: str | int) -> inspect.Type:
    """The type of an entry."""
    structs = [option for option in _options(info) if isinstance(option, inspect.StructType)]
    if tags := tuple(option.tag for option in structs if option.tag is not None and option.tag_field == key):
        return inspect.LiteralType(tags)
    for option in _options(info):
        match option:
            case inspect.ListType() if isinstance(key, int):
                return option.item_type
            case inspect.DictType() if isinstance(key, str):
                return option.value_type
            case inspect.StructType() if isinstance(key, str):
                for field in option.fields:
                    if field.encode_name == key:
                        return field.type
    return inspect.AnyType()


def _allowed(info: inspect.Type) -> str:
    """What a value may be, in words. That null is the default need not be said."""
    words = [word for option in _options(info) if (word := _word(option))]
    return " or ".join(dict.fromkeys(words)) or "null"


def _word(info: inspect.Type) -> str:
    match info:
        case inspect.NoneType():
            return ""
        case inspect.BoolType():
            return "true or false"
        case inspect.StrType():
            if info.pattern:
                return f"a string that matches {info.pattern}"
            return "a string" if not info.min_length else "a string, not empty"
        case inspect.IntType():
            return f"an integer{_bounds(info.ge, info.le)}"
        case inspect.FloatType():
            return f"a number{_bounds(info.ge, info.le)}"
        case inspect.LiteralType():
            return " or ".join(f'"{value}"' for value in info.values)
        case inspect.ListType():
            of = {inspect.StrType: " of strings", inspect.DictType: " of objects", inspect.StructType: " of objects"}
            return f"an array{of.get(type(info.item_type), '')}"
        case inspect.DictType() | inspect.StructType():
            return "an object"
    return "a value"


def _bounds(least: float | None, most: float | None) -> str:
    if least is None and most is None:
        return ""
    if most is None:
        return f" of at least {least}"
    return f" of at most {most}" if least is None else f" from {least} to {most}"
