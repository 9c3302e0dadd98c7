"""The tools of a conversation, and which of them the answer may call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.fields import read_bool, read_list, read_object, read_str, refusal
from rest_adapter.apis.common.tool_choice import ToolChoice, set_tools
from rest_adapter.errors import MISSING, InvalidRequest
from slotline.v1.prompt_pb2 import TOOL_MODE_AUTO, TOOL_MODE_NONE, TOOL_MODE_REQUIRED, ToolMode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from slotline.v1.prompt_pb2 import ChatPrompt

#: What ``tool_choice`` may be if it is a string.
MODES: Mapping[str, ToolMode.ValueType] = {
    "none": TOOL_MODE_NONE,
    "auto": TOOL_MODE_AUTO,
    "required": TOOL_MODE_REQUIRED,
}
#: Those of them that allowed_tools may have.
MODES_OF_ALLOWED = ("auto", "required")
_CHOICES = '"none", "auto", "required", or an object whose type is "function" or "allowed_tools"'


def read_tools(chat: ChatPrompt, body: Mapping[str, object]) -> bool:
    """Set the tools of a body and which of them may be called.

    A choice that names a function is one call, unless the body allows several.

    Returns:
        Whether the answer may call any.

    Raises:
        InvalidRequest: one of the fields has a value that is not allowed.
    """
    tools = () if (value := body.get("tools")) is None else read_list("tools", value, "tools")
    checked = [_check_tool(f"tools[{i}]", tool) for i, tool in enumerate(tools)]
    choice = _read_choice(body.get("tool_choice"))
    parallel = None if (value := body.get("parallel_tool_calls")) is None else read_bool("parallel_tool_calls", value)
    return set_tools(chat, checked, choice, body.get("tool_choice"), parallel)


def _check_tool(path: str, value: object) -> dict[str, object]:
    """Check the form of a tool, and return it. What its parameters mean is for the core to say."""
    tool = read_object(path, value)
    _read_type(path, tool, "function")
    function = read_object(f"{path}.function", tool.get("function"))
    if function.get("description") is not None:
        read_str(f"{path}.function.description", function["description"])
    if function.get("parameters") is not None:
        read_object(f"{path}.function.parameters", function["parameters"])
    if function.get("strict") is not None:
        read_bool(f"{path}.function.strict", function["strict"])
    _read_name(f"{path}.function", function)
    return tool


def _read_choice(value: object) -> ToolChoice:
    if value is None:
        return ToolChoice(TOOL_MODE_AUTO)
    if isinstance(value, str) and value in MODES:
        return ToolChoice(MODES[value])
    if not isinstance(value, dict):
        raise refusal("tool_choice", value, _CHOICES)
    if _read_type("tool_choice", value, "function", "allowed_tools") == "function":
        return ToolChoice(TOOL_MODE_REQUIRED, [_named("tool_choice", value)], is_one=True)
    return _read_allowed("tool_choice.allowed_tools", value.get("allowed_tools"))


def _read_allowed(path: str, value: object) -> ToolChoice:
    fields = read_object(path, value)
    mode = fields.get("mode")
    if not isinstance(mode, str) or mode not in MODES_OF_ALLOWED:
        raise refusal(f"{path}.mode", mode, " or ".join(f'"{word}"' for word in MODES_OF_ALLOWED))
    tools = read_list(f"{path}.tools", fields.get("tools"), "tools")
    if not tools:
        raise InvalidRequest(f"{path}.tools", '[] is empty; name at least one tool, or send "none" as tool_choice')
    named = []
    for i, value in enumerate(tools):
        place = f"{path}.tools[{i}]"
        tool = read_object(place, value)
        _read_type(place, tool, "function")
        named.append(_named(place, tool))
    return ToolChoice(MODES[mode], named)


def _named(path: str, value: Mapping[str, object]) -> tuple[str, str]:
    function = read_object(f"{path}.function", value.get("function"))
    return f"{path}.function.name", _read_name(f"{path}.function", function)


def _read_type(path: str, value: Mapping[str, object], *allowed: str) -> str:
    kind = value.get("type")
    words = " or ".join(f'"{word}"' for word in allowed)
    if kind is None:
        raise InvalidRequest(f"{path}.type", f"is missing; send {words}", MISSING)
    if isinstance(kind, str) and kind in allowed:
        return kind
    raise refusal(f"{path}.type", kind, words)


def _read_name(path: str, function: Mapping[str, object]) -> str:
    if (value := function.get("name")) is None:
        raise InvalidRequest(f"{path}.name", "is missing; send the name of a function", MISSING)
    if name := read_str(f"{path}.name", value):
        return name
    raise InvalidRequest(f"{path}.name", '"" is empty; send the name of a function')
