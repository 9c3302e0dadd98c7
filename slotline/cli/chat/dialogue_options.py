"""Options of a conversation as people write them: the schema of answers, tools, thinking."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rest_adapter.config import REASONING_FORMATS
from slotline.cli.chat.json_files import file_or_text, parse_json, place_of
from slotline.cli.options.values import Converter, InvalidValue, choice, integer, text
from slotline.protocol.excerpt import excerpt

if TYPE_CHECKING:
    from collections.abc import Mapping

#: No server takes larger ones.
MAX_JSON_BYTES = 4 * 1024 * 1024
_MODES = ("none", "auto", "required")
_MOST_TOKENS = 2**31 - 1
_BOOLEANS = {
    **dict.fromkeys(("true", "on", "yes", "1"), True),
    **dict.fromkeys(("false", "off", "no", "0"), False),
}


def boolean(name: str, value: str) -> bool:
    """A switch."""
    return choice(_BOOLEANS)(name, value.strip().lower())


def schema_file(name: str, path: str) -> object:
    """The JSON Schema in a file."""
    return _schema(name, f"@{path}")


def tools_file(name: str, path: str) -> object:
    """The declarations of tools in a file."""
    return _tools(name, f"@{path}")


def request_fields(settings: Mapping[str, object]) -> dict[str, object]:
    """Settings as fields of a request for a chat, by the names that most servers know."""
    fields = dict(settings)
    if "json_schema" in fields:
        schema = fields.pop("json_schema")
        fields["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    if "enable_thinking" in fields:
        fields["chat_template_kwargs"] = {"enable_thinking": fields.pop("enable_thinking")}
    return fields


def _schema(name: str, value: str) -> object:
    where = place_of(name, value)
    schema = parse_json(where, file_or_text(name, value, MAX_JSON_BYTES))
    if not isinstance(schema, dict):
        raise InvalidValue(
            f"{where}: is {excerpt(json.dumps(schema), 40)}; allowed is a JSON Schema, which is an object"
        )
    return schema


def _tools(name: str, value: str) -> object:
    where = place_of(name, value)
    tools = parse_json(where, file_or_text(name, value, MAX_JSON_BYTES))
    if not isinstance(tools, list) or not tools:
        raise InvalidValue(f"{where}: holds no tools; allowed is an array of them, as in the OpenAI API")
    for index, tool in enumerate(tools):
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise InvalidValue(
                f"{where}: [{index}] declares no function; allowed is "
                '{"type": "function", "function": {"name": NAME, "parameters": JSON_SCHEMA}}'
            )
    return tools


def _tool_choice(name: str, value: str) -> object:
    word = text(name, value).strip()
    return word if word in _MODES else {"type": "function", "function": {"name": word}}


#: By name: what checks a value, and what it does, in one sentence with its special values.
DIALOGUE_OPTIONS: Mapping[str, tuple[Converter[object], str]] = {
    "json_schema": (_schema, "JSON Schema that answers obey. After an @ it is the name of its file."),
    "tools": (_tools, "Tools that the model may call, as JSON. After an @ it is the name of their file."),
    "tool_choice": (_tool_choice, "Whether it calls them: none, auto, required, or the name of the only one to call."),
    "reasoning_format": (
        choice({word: word for word in REASONING_FORMATS}),
        "Where thinking goes: auto tells it apart, none leaves it in the text as the model writes it.",
    ),
    "enable_thinking": (boolean, "Whether the model thinks first, if its chat template has a switch for that."),
    "reasoning_effort": (text, "How hard it thinks, in a word of its chat template: low, medium, high."),
    "reasoning_budget_tokens": (
        integer(-1, _MOST_TOKENS),
        "Tokens of thinking after which the answer begins; -1 is no limit.",
    ),
}
