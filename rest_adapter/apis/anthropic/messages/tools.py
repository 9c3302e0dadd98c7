"""The tools of a body, and which of them the answer may call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from rest_adapter.apis.anthropic.messages.body import AnyChoice, AutoChoice, Choice, NamedChoice, NoChoice, Tool
from rest_adapter.apis.common.tool_choice import ToolChoice, function_tool, set_tools
from rest_adapter.errors import MISSING, InvalidRequest
from slotline.v1.prompt_pb2 import TOOL_MODE_AUTO, TOOL_MODE_NONE, TOOL_MODE_REQUIRED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rest_adapter.apis.anthropic.messages.body import Body
    from slotline.v1.prompt_pb2 import ChatPrompt

T = TypeVar("T")

#: The type of tools that the client runs; those of other types run on the servers of the Anthropic API.
CUSTOM = "custom"
#: What these must have.
NEEDED_OF_TOOLS = ("name", "input_schema")


def read_tools(chat: ChatPrompt, body: Body, raw: Mapping[str, object]) -> Sequence[int]:
    """Read the fields ``tools`` and ``tool_choice``.

    Args:
        chat: gets what they say.
        body: has them.
        raw: the body as it came, for errors.

    Returns:
        For each tool that the model is shown its number in the body.

    Raises:
        InvalidRequest: a tool lacks its name or schema, or the choice cannot be obeyed.
    """
    numbers, tools = [], []
    for i, tool in enumerate(body.tools or ()):
        if tool.type in (None, CUSTOM):
            numbers.append(i)
            tools.append(_function(f"tools[{i}]", tool))
    choice, parallel = _choice(body.tool_choice or AutoChoice())
    set_tools(chat, tools, choice, raw.get("tool_choice"), parallel)
    return numbers


def _function(path: str, tool: Tool) -> dict[str, Any]:
    return function_tool(
        name=_needed(f"{path}.name", tool.name, "the name of the tool"),
        description=tool.description,
        parameters=_needed(f"{path}.input_schema", tool.input_schema, "the JSON Schema of its input"),
        strict=tool.strict,
    )


def _needed(path: str, value: T | None, what: str) -> T:
    """A value that may not be missing.

    Raises:
        InvalidRequest: it is; ``what`` says what to send.
    """
    if value is None:
        raise InvalidRequest(path, f"is missing; send {what}", MISSING)
    return value


def _choice(choice: Choice) -> tuple[ToolChoice, bool | None]:
    """What the choice is, and whether several calls are allowed; None if it does not say so."""
    match choice:
        case NoChoice():
            return ToolChoice(TOOL_MODE_NONE), None
        case AutoChoice():
            mode = ToolChoice(TOOL_MODE_AUTO)
        case AnyChoice():
            mode = ToolChoice(TOOL_MODE_REQUIRED)
        case NamedChoice():
            mode = ToolChoice(TOOL_MODE_REQUIRED, [("tool_choice.name", choice.name)], is_one=True)
    is_one = choice.disable_parallel_tool_use
    return mode, None if is_one is None else not is_one
