"""JSON values as values of Python types; the types are those of which ``schema`` makes JSON Schemas."""

from __future__ import annotations

import enum
import types
import typing
from typing import Any, NoReturn

from slotline.client.schema import LISTS, MAPPINGS, has_fields, hints_of, is_model, needed_in, refuse_hint

#: What is made of an array where that is not a list.
_SETS: dict[object, Any] = {set: set, frozenset: frozenset}


def value_of(value: Any, hint: object, where: str) -> Any:
    """The Python value that JSON stands for.

    Args:
        value: as ``json.loads`` gives it.
        hint: the type it should have.
        where: its place, for messages.

    Raises:
        ValueError: the value does not fit.
        TypeError: the type is unknown.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Annotated, typing.Required, typing.NotRequired):
        return value_of(value, arguments[0], where)
    if hint in (Any, object):
        return value
    if hint in (None, types.NoneType):
        return None if value is None else _refuse(where, value, "null")
    if hint in (str, int, float, bool):
        return _plain(value, hint, where)
    if origin in (typing.Union, types.UnionType):
        return _union(value, arguments, where)
    if origin is typing.Literal:
        return value if _is_among(value, arguments) else _refuse(where, value, f"one of {arguments}")
    if hint is tuple or origin is tuple:
        return _tuple(value, arguments, where)
    kind: Any = origin or hint
    if kind in LISTS:
        item = arguments[0] if arguments else Any
        return _SETS.get(kind, list)(value_of(one, item, f"{where}[{i}]") for i, one in enumerate(_list(value, where)))
    if kind in MAPPINGS:
        item = arguments[1] if arguments else Any
        return {key: value_of(one, item, f"{where}.{key}") for key, one in _object(value, where).items()}
    return _instance(value, hint, where)


def fields_of(found: dict[str, Any], hints: dict[str, Any], needed: list[str], where: str = "") -> dict[str, Any]:
    """The Python values of an object's properties.

    Args:
        found: the object.
        hints: types by name of the property.
        needed: names that have to be there.
        where: its place, for messages; empty if properties are called by their names alone.

    Raises:
        ValueError: one is missing, unknown, or does not fit.
        TypeError: a type is unknown.
    """
    prefix = f"{where}: " if where else ""
    for name in needed:
        if name not in found:
            raise ValueError(f"{prefix}{name} is missing")
    for name in found:
        if name not in hints:
            raise ValueError(f"{prefix}{name} is unknown; known are {', '.join(hints)}")
    return {name: value_of(one, hints[name], f"{where}.{name}" if where else name) for name, one in found.items()}


def _plain(value: Any, hint: object, where: str) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # JSON does not tell 1.0 from 1.
    if hint is int and is_number and (isinstance(value, int) or value.is_integer()):
        return int(value)
    if hint is float and is_number:
        return float(value)
    if (hint is str and isinstance(value, str)) or (hint is bool and isinstance(value, bool)):
        return value
    names: dict[object, str] = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
    return _refuse(where, value, names[hint])


def _union(value: Any, kinds: tuple[Any, ...], where: str) -> Any:
    reasons = []
    for kind in kinds:
        try:
            return value_of(value, kind, where)
        except ValueError as error:
            reasons.append(str(error))
    raise ValueError("; ".join(dict.fromkeys(reasons)))


def _tuple(value: Any, arguments: tuple[Any, ...], where: str) -> tuple[Any, ...]:
    items = _list(value, where)
    kinds: typing.Sequence[Any] = arguments
    if not arguments or arguments[-1] is Ellipsis:
        kinds = [arguments[0] if arguments else Any] * len(items)
    if len(items) != len(kinds):
        _refuse(where, value, f"a list of {len(kinds)}")
    return tuple(value_of(one, kind, f"{where}[{i}]") for i, (one, kind) in enumerate(zip(items, kinds, strict=True)))


def _instance(value: Any, hint: object, where: str) -> Any:
    if is_model(hint):
        return hint.model_validate(value)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        members = [one for one in hint if _is_among(value, (one.value,))]
        return members[0] if members else _refuse(where, value, f"one of {[one.value for one in hint]}")
    if isinstance(hint, type) and has_fields(hint):
        return hint(**fields_of(_object(value, where), hints_of(hint), needed_in(hint), where))
    return refuse_hint(hint, where)


def _is_among(value: Any, allowed: tuple[Any, ...]) -> bool:
    """Whether it is one of these; True is not taken for 1."""
    return any(value == one and isinstance(value, bool) is isinstance(one, bool) for one in allowed)


def _list(value: Any, where: str) -> list[Any]:
    return value if isinstance(value, list) else _refuse(where, value, "a list")


def _object(value: Any, where: str) -> dict[str, Any]:
    return value if isinstance(value, dict) else _refuse(where, value, "an object")


def _refuse(where: str, value: Any, allowed: str) -> NoReturn:
    raise ValueError(f"{where}: {value!r:.80} is not {allowed}")
