"""A format of answers as JSON: shown to people, and read from the file of ``--tool-format``."""

from __future__ import annotations

import dataclasses
import enum
import json
from dataclasses import replace
from typing import Any, TypeVar, cast

from service.dialogue.chat_format import (
    CallFormat,
    CallStyle,
    ChatFormat,
    ContentMarkers,
    ReasoningMarkers,
)
from service.dialogue.known_formats import KNOWN_FORMATS
from service.errors import InvalidArgument
from slotline.protocol.excerpt import quoted

_FIELD = "tool_format"
_PARTS: dict[str, type[Any]] = {
    "calls": CallFormat,
    "reasoning": ReasoningMarkers,
    "content": ContentMarkers,
}
#: What a description says beside these, and a file may repeat: all of it is found out about the template.
_FOUND_OUT = ("source", "history", "reasoning_switches", "renders_tools", "control_tokens")

T = TypeVar("T")


def describe(chat_format: ChatFormat) -> dict[str, Any]:
    """A format as a JSON object, without what is empty or as usual."""
    return cast("dict[str, Any]", _plain(chat_format))


def resolve_tool_format(choice: str) -> ChatFormat:
    """The format that ``tool_format`` of the configuration stands for: a name, or the text of a JSON object.

    Raises:
        InvalidArgument: neither a known name nor a description.
    """
    if choice in KNOWN_FORMATS:
        # Reasoning is for the template to show: one family's calls are used by models with other marks for that.
        return replace(KNOWN_FORMATS[choice], reasoning=None)
    if not choice.lstrip().startswith("{"):
        names = ", ".join(sorted(KNOWN_FORMATS))
        raise InvalidArgument(_FIELD, f"{quoted(choice, 60)} is neither a file with a description nor one of {names}")
    try:
        given = json.loads(choice)
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(_FIELD, f"is not JSON ({error}); allowed is a JSON object") from error
    return _described(given)


def _described(given: dict[str, Any]) -> ChatFormat:
    for key in given:
        if key not in _PARTS and key not in _FOUND_OUT:
            raise InvalidArgument(_FIELD, f"has {quoted(key, 60)}; allowed are {', '.join(_PARTS)}")
    if "calls" not in given:
        raise InvalidArgument(_FIELD, "has no 'calls', which say how tool calls are written")
    parts = {key: _part(key, kind, given[key]) for key, kind in _PARTS.items() if given.get(key) is not None}
    return ChatFormat(**parts)


def _part(key: str, kind: type[T], given: Any) -> T:
    """One part of a description, checked: names of fields, types of values."""
    if not isinstance(given, dict):
        raise InvalidArgument(_FIELD, f"has {key} that is not a JSON object")
    fields = {field.name: field for field in dataclasses.fields(cast("Any", kind))}
    values = {}
    for name, value in given.items():
        if name not in fields:
            raise InvalidArgument(_FIELD, f"has {key}.{quoted(name, 60)}; allowed are {', '.join(fields)}")
        values[name] = _value(f"{key}.{name}", name, fields[name].type, value)
    missing = [
        field.name for field in fields.values() if field.default is dataclasses.MISSING and field.name not in given
    ]
    if missing:
        raise InvalidArgument(_FIELD, f"has no {key}.{missing[0]}")
    return kind(**values)


def _value(path: str, name: str, kind: object, value: Any) -> Any:
    if name == "style":
        allowed = [one.value for one in CallStyle]
        if value not in allowed:
            raise InvalidArgument(_FIELD, f"has {path} {quoted(str(value), 60)}; allowed are {', '.join(allowed)}")
        return CallStyle(value)
    wanted = bool if kind == "bool" else str
    if not isinstance(value, wanted):
        raise InvalidArgument(_FIELD, f"has {path} that is no {'truth value' if wanted is bool else 'text'}")
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        shown = {}
        for field in dataclasses.fields(value):
            one = getattr(value, field.name)
            if one not in ("", (), None) and (
                field.name in ("style", "source", "open", "close") or one != field.default
            ):
                plain = _plain(one)
                if plain != {}:
                    shown[field.name] = plain
        return shown
    return list(value) if isinstance(value, tuple) else value
