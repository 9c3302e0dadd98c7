"""Tool calls as a model writes them: for the turns of a history whose template does not, and to check a description."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from service.dialogue.chat_format import HERMES, CallStyle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from service.dialogue.chat_format import CallFormat


@dataclass(frozen=True, slots=True)
class WrittenCall:
    """A call that was made.

    Attributes:
        name: of the tool.
        arguments: its arguments.
        id: of the call; "" leaves it out.
    """

    name: str
    arguments: Mapping[str, Any]
    id: str = ""


def write_calls(calls: Sequence[WrittenCall], form: CallFormat) -> str:
    """Calls as the format has them, with section marks; "" without calls.

    Raises:
        ValueError: the style is NONE or HARMONY, whose calls are messages of their own.
    """
    if not calls:
        return ""
    written = [f"{form.call_open}{_written(call, index, form)}{form.call_close}" for index, call in enumerate(calls)]
    return f"{form.section_open}{form.call_separator.join(written)}{form.section_close}"


def textual(form: CallFormat) -> CallFormat:
    """A format in which calls can be written as a text: this one, or the usual one in its place."""
    return HERMES if form.style in (CallStyle.NONE, CallStyle.HARMONY) else form


def to_json(value: Any) -> str:
    """JSON as chat templates write it: with a blank behind commas and colons, and all letters as they are."""
    return json.dumps(value, ensure_ascii=False)


def _written(call: WrittenCall, index: int, form: CallFormat) -> str:
    match form.style:
        case CallStyle.JSON:
            members = {form.name_key: call.name, form.arguments_key: call.arguments}
            identity = {form.id_key: call.id} if form.id_key and call.id else {}
            return to_json({**identity, **members} if form.id_first else {**members, **identity})
        case CallStyle.NAME_KEY:
            return to_json({call.name: call.arguments})
        case CallStyle.NAME_JSON:
            before = f"{call.id}{form.id_close}" if form.id_close else ""
            behind = f"{form.id_open}{call.id}" if form.id_open else ""
            suffix = form.name_suffix.replace("{index}", str(index))
            name = f"{form.name_prefix}{call.name}{suffix}"
            return f"{before}{name}{behind}{form.name_close}{to_json(call.arguments)}"
        case CallStyle.TAGGED:
            arguments = [_argument(name, value, form) for name, value in call.arguments.items()]
            return f"{call.name}{form.name_close}{form.argument_separator.join(arguments)}"
        case CallStyle.PYTHON:
            arguments = [f"{name}={value!r}" for name, value in call.arguments.items()]
            return f"{call.name}({', '.join(arguments)})"
        case style:
            raise ValueError(f"calls in the style {style.value!r} are not written as a text")


def _argument(name: str, value: Any, form: CallFormat) -> str:
    if isinstance(value, str):
        written = f"{form.string_open}{value}{form.string_close}"
    elif form.string_open and form.string_close:
        written = f"{form.value_open}{_nested(value, form)}"
    else:
        written = f"{form.value_open}{to_json(value)}"
    close = form.argument_close.replace("{name}", name)
    return f"{form.argument_open}{name}{form.argument_name_close}{written}{close}"


def _nested(value: Any, form: CallFormat) -> str:
    """JSON with the format's marks around strings, and bare keys."""
    match value:
        case str():
            return f"{form.string_open}{value}{form.string_close}"
        case dict():
            return f"{{{','.join(f'{key}:{_nested(one, form)}' for key, one in value.items())}}}"
        case list() | tuple():
            return f"[{','.join(_nested(one, form) for one in value)}]"
        case _:
            return to_json(value)
