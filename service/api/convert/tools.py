"""The tools of a conversation, and which of them an answer may call."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from service.api.convert.checks import count_at_most, read_json, shown
from service.api.convert.tool_grammars import take_grammars
from service.constraints.schema import prepare_schema, read_schema
from service.constraints.spec import JsonStyle, UnusableConstraint
from service.dialogue.tools import Tool
from service.errors import InvalidArgument
from slotline.protocol.excerpt import quoted
from slotline.v1 import prompt_pb2

if TYPE_CHECKING:
    from service.api.served_model import ServedModel
    from service.dialogue.chat_format import CallFormat
    from service.dialogue.tools import TextGrammar

TOOLS = "chat.tools_json"
_MODE = "chat.tool_policy.mode"
_NAMES = "chat.tool_policy.allowed_names"


@dataclass(frozen=True, slots=True)
class CallPolicy:
    """What an answer may call.

    Attributes:
        tools: those that it may call; none if it may not call any.
        is_required: it is a call, or several.
        is_parallel: it may make several.
    """

    tools: tuple[Tool, ...] = ()
    is_required: bool = False
    is_parallel: bool = True


def call_policy(chat: prompt_pb2.ChatPrompt, model: ServedModel) -> CallPolicy:
    """What the answer to a conversation may call.

    Raises:
        InvalidArgument: a tool is malformed, or the policy contradicts itself or the tools.
    """
    tools = declared_tools(chat.tools_json, model)
    policy = chat.tool_policy
    if policy.mode not in prompt_pb2.ToolMode.values():
        modes = ", ".join(prompt_pb2.ToolMode.keys())
        raise InvalidArgument(_MODE, f"is {policy.mode}; allowed are {modes}")
    is_required = policy.mode == prompt_pb2.TOOL_MODE_REQUIRED
    if is_required and not tools:
        raise InvalidArgument(_MODE, f"is TOOL_MODE_REQUIRED, but {TOOLS} has no tools; give at least one")
    names = [tool.name for tool in tools]
    for index, name in enumerate(policy.allowed_names):
        if name not in names:
            allowed = quoted(", ".join(names), 200) if names else "none, for there are no tools"
            raise InvalidArgument(f"{_NAMES}[{index}]", f"is {shown(name)}; allowed are {allowed}")
    if policy.mode == prompt_pb2.TOOL_MODE_NONE:
        return CallPolicy()
    wanted = set(policy.allowed_names or names)
    return CallPolicy(
        tuple(tool for tool in tools if tool.name in wanted),
        is_required,
        policy.parallel if policy.HasField("parallel") else True,
    )


def declared_tools(text: str, model: ServedModel) -> list[Tool]:
    """The tools of a conversation, checked.

    Raises:
        InvalidArgument: they are no array of functions with names of their own and schemas that can be used.
    """
    definitions = read_json(text, TOOLS, list, "a JSON array")
    count_at_most(TOOLS, len(definitions), model.limits.max_tools)
    tools: dict[str, Tool] = {}
    for index, definition in enumerate(definitions):
        tool = _tool(definition, index, model.chat_format.calls)
        if tool.name in tools:
            raise InvalidArgument(f"{TOOLS}[{index}].function.name", f"{shown(tool.name)} is there twice")
        tools[tool.name] = tool
    return list(tools.values())


def _tool(definition: Any, index: int, form: CallFormat) -> Tool:
    field = f"{TOOLS}[{index}]"
    if not isinstance(definition, dict):
        raise InvalidArgument(field, f"is {shown(definition)}; allowed is an object")
    kind = definition.get("type", "function")
    if kind != "function":
        raise InvalidArgument(f"{field}.type", f"is {shown(kind)}; allowed is 'function'")
    function = definition.get("function")
    if not isinstance(function, dict):
        raise InvalidArgument(f"{field}.function", f"is {shown(function)}; allowed is an object")
    name = function.get("name")
    if not isinstance(name, str) or not name:
        raise InvalidArgument(f"{field}.function.name", f"is {shown(name)}; allowed is a text, not empty")
    strict = function.get("strict")
    if strict is not None and not isinstance(strict, bool):
        raise InvalidArgument(f"{field}.function.strict", f"is {shown(strict)}; allowed are true and false")
    path = f"{field}.function.parameters"
    parameters, grammars = _parameters(function.get("parameters"), path, form, is_strict=bool(strict))
    return Tool(name, parameters, is_strict=bool(strict), index=index, grammars=grammars)


def _parameters(
    value: Any, field: str, form: CallFormat, *, is_strict: bool
) -> tuple[dict[str, Any], dict[str, TextGrammar]]:
    """The schema of a tool's arguments, without what cannot be enforced unless it has to be, and grammars of texts."""
    if value is None:
        return {}, {}
    if not isinstance(value, dict):
        raise InvalidArgument(field, f"is {shown(value)}; allowed is a JSON Schema of an object")
    if value and value.get("type", "object") != "object":
        raise InvalidArgument(f"{field}.type", f"is {shown(value['type'])}; allowed is 'object'")
    try:
        schema = read_schema(json.dumps(value))
        grammars = take_grammars(schema, field, form)
        prepare_schema(schema, JsonStyle(lenient=not is_strict))
    except UnusableConstraint as error:
        raise InvalidArgument(field, str(error)) from None
    return schema, grammars
