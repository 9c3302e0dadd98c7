"""JSON Schemas of Python types; ``values`` makes Python values of such JSON.

Known are: ``str``, ``int``, ``float``, ``bool``, ``None``, ``Any``, ``list``, ``set``, ``tuple`` and ``dict`` of them,
unions, ``Literal``, enumerations, dataclasses, typed dictionaries, ``Annotated`` with a text that describes, and models
of pydantic, which is not imported for that: what has the methods of its models is one.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import inspect
import types
import typing
from typing import Any, NoReturn, TypeGuard

#: From types of which nothing more is to be said to the names of JSON Schema.
_PLAIN: dict[object, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}
#: Types of JSON's arrays and objects, for ``values``, too.
LISTS = (list, set, frozenset, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection)
MAPPINGS = (dict, collections.abc.Mapping)
_KNOWN = "str, int, float, bool, list, dict, Literal, enumerations, dataclasses, TypedDict and models of pydantic"


class Schemas:
    """Makes schemas that belong into one document: what models of pydantic refer to comes into its ``$defs``."""

    def __init__(self) -> None:
        self.definitions: dict[str, Any] = {}
        self._open: list[object] = []

    def of(self, hint: object, where: str) -> dict[str, Any]:
        """The schema of a type.

        Args:
            hint: the type.
            where: what has it, for messages.

        Raises:
            TypeError: it is not among the known ones, or refers to itself.
        """
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is typing.Annotated:
            return {**self.of(arguments[0], where), **_described(arguments[1:])}
        if hint in (Any, object):
            return {}
        if hint in (None, types.NoneType):
            return {"type": "null"}
        if hint in _PLAIN:
            return {"type": _PLAIN[hint]}
        if origin in (typing.Required, typing.NotRequired):
            return self.of(arguments[0], where)
        if origin in (typing.Union, types.UnionType):
            return {"anyOf": [self.of(one, where) for one in arguments]}
        if origin is typing.Literal:
            return {"enum": list(arguments)}
        if hint is tuple or origin is tuple:
            return self._tuple(arguments, where)
        if hint in LISTS or origin in LISTS:
            return {"type": "array", "items": self.of(arguments[0] if arguments else Any, where)}
        if hint in MAPPINGS or origin in MAPPINGS:
            return self._mapping(arguments, where)
        return self._class(hint, where) if isinstance(hint, type) else refuse_hint(hint, where)

    def _tuple(self, arguments: tuple[Any, ...], where: str) -> dict[str, Any]:
        if not arguments or arguments[-1] is Ellipsis:
            return {"type": "array", "items": self.of(arguments[0] if arguments else Any, where)}
        items = [self.of(one, where) for one in arguments]
        return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items), "maxItems": len(items)}

    def _mapping(self, arguments: tuple[Any, ...], where: str) -> dict[str, Any]:
        key, value = arguments or (str, Any)
        if key is not str:
            raise TypeError(f"{where}: keys of JSON objects are texts, not {key}")
        return {"type": "object", "additionalProperties": self.of(value, where) or True}

    def _class(self, hint: type, where: str) -> dict[str, Any]:
        if issubclass(hint, enum.Enum):
            return {"enum": [one.value for one in hint]}
        if is_model(hint):
            return self._model(hint, where)
        if hint in self._open:
            raise TypeError(f"{where}: {hint.__name__} refers to itself; allowed are types that do not")
        self._open.append(hint)
        try:
            if has_fields(hint):
                return self.object(hints_of(hint), needed_in(hint), where)
        finally:
            self._open.pop()
        return refuse_hint(hint, where)

    def object(self, hints: dict[str, Any], required: list[str], where: str) -> dict[str, Any]:
        """The schema of an object with these properties and no others."""
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {name: self.of(hint, f"{where}.{name}") for name, hint in hints.items()},
        }
        return {**schema, "required": required, "additionalProperties": False}

    def _model(self, model: Any, where: str) -> dict[str, Any]:
        schema: dict[str, Any] = dict(model.model_json_schema())
        for name, definition in schema.pop("$defs", {}).items():
            if self.definitions.setdefault(name, definition) != definition:
                raise TypeError(f"{where}: there are two types named {name}; give them names of their own")
        return schema


def schema_of(hint: object) -> dict[str, Any]:
    """The schema of a type, as a document of its own.

    Raises:
        TypeError: see ``Schemas.of``.
    """
    schemas = Schemas()
    schema = schemas.of(hint, getattr(hint, "__name__", str(hint)))
    return {**schema, "$defs": schemas.definitions} if schemas.definitions else schema


def is_model(hint: object) -> TypeGuard[Any]:
    """Whether a type is a model of pydantic, or acts like one."""
    return isinstance(hint, type) and hasattr(hint, "model_json_schema") and hasattr(hint, "model_validate")


def hints_of(owner: object) -> dict[str, Any]:
    """Types of the fields of a class, or of the parameters of a function."""
    hints = typing.get_type_hints(owner, include_extras=True)
    if dataclasses.is_dataclass(owner):
        return {field.name: hints[field.name] for field in dataclasses.fields(owner) if field.init}
    return hints


def has_fields(hint: object) -> bool:
    """Whether a type is a dataclass or a typed dictionary."""
    return isinstance(hint, type) and (dataclasses.is_dataclass(hint) or typing.is_typeddict(hint))


def needed_in(owner: type) -> list[str]:
    """Names of the fields of a dataclass or typed dictionary that have to be given."""
    if dataclasses.is_dataclass(owner):
        missing = dataclasses.MISSING
        fields = [one for one in dataclasses.fields(owner) if one.init]
        return [one.name for one in fields if one.default is missing and one.default_factory is missing]
    known: frozenset[str] = getattr(owner, "__required_keys__", frozenset())
    # Where annotations are texts, the class itself does not know of Required and NotRequired.
    words = {name: typing.get_origin(hint) for name, hint in hints_of(owner).items()}
    optional = typing.NotRequired
    return [name for name, word in words.items() if word is not optional and (word is typing.Required or name in known)]


def refuse_hint(hint: object, where: str) -> NoReturn:
    """Refuse a type."""
    name = hint.__name__ if inspect.isclass(hint) else str(hint)
    raise TypeError(f"{where}: the type {name} has no JSON Schema here; known are {_KNOWN}")


def _described(notes: tuple[Any, ...]) -> dict[str, str]:
    texts = [note for note in notes if isinstance(note, str)]
    return {"description": texts[0]} if texts else {}
