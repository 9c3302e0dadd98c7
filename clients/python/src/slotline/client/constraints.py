"""Options that say what an answer may be: one of several kinds of constraints, and how JSON is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypedDict

from slotline.client import checks
from slotline.v1 import generation_pb2

if TYPE_CHECKING:
    from slotline.v1.generation_pb2 import Constraint, GenerateRequest


class JsonStyle(TypedDict, total=False):
    """How JSON under a constraint is written, and what is made of its schema."""

    #: Regular expression for what may stand between tokens of JSON. Default: at most one blank after "," and ":", and
    #: line breaks with their indentation.
    whitespace_pattern: str
    #: Whether nothing may stand between them. Default False.
    disable_any_whitespace: bool
    #: Whether objects have no other properties than those of their schema, unless it says otherwise. Default False.
    disable_additional_properties: bool
    #: Whether keywords of a schema that cannot be enforced are left out instead of refused. Default False.
    lenient: bool


def _set_grammar(request: GenerateRequest, name: str, value: object) -> None:
    _only_constraint(request, name).gbnf = checks.text(name, value)


def _set_json_schema(request: GenerateRequest, name: str, value: object) -> None:
    if not isinstance(value, str | Mapping):
        checks.refuse_type(name, value, "a JSON Schema as an object or a text")
    schema = value if isinstance(value, str) else checks.json_text(name, value)
    _only_constraint(request, name).json_schema = schema


def _set_json_object(request: GenerateRequest, name: str, value: object) -> None:
    if checks.boolean(name, value):
        _only_constraint(request, name).json_object.SetInParent()


def _set_choice(request: GenerateRequest, name: str, value: object) -> None:
    texts = checks.texts(name, value)
    _only_constraint(request, name).choice.CopyFrom(generation_pb2.Choices(texts=texts))


def _set_regex(request: GenerateRequest, name: str, value: object) -> None:
    _only_constraint(request, name).regex = checks.text(name, value)


def _set_lark(request: GenerateRequest, name: str, value: object) -> None:
    _only_constraint(request, name).lark = checks.text(name, value)


def _set_json_style(request: GenerateRequest, name: str, value: object) -> None:
    known = ", ".join(JsonStyle.__annotations__)
    style = request.constraint.json_style
    style.SetInParent()
    for key, one in checks.mapping(name, value, f"a mapping with {known}").items():
        if key == "whitespace_pattern":
            style.whitespace_pattern = checks.text(f"{name}.{key}", one)
        elif key in JsonStyle.__annotations__:
            setattr(style, str(key), checks.boolean(f"{name}.{key}", one))
        else:
            checks.refuse(name, key, f"one of {known}")


def _only_constraint(request: GenerateRequest, name: str) -> Constraint:
    other = request.constraint.WhichOneof("kind")
    if other is not None:
        raise ValueError(f"{name}: there is {_OPTION_NAMES.get(other, other)} already; allowed is one constraint")
    return request.constraint


#: Names of options where they are not those of the fields.
_OPTION_NAMES = {"gbnf": "grammar"}

#: From the name of an option to what sets it.
SETTERS: Mapping[str, Callable[[GenerateRequest, str, object], None]] = {
    "grammar": _set_grammar,
    "json_schema": _set_json_schema,
    "json_object": _set_json_object,
    "json_style": _set_json_style,
    "choice": _set_choice,
    "regex": _set_regex,
    "lark": _set_lark,
}
