"""Tools and calls in the shape that the core takes, and which tools an answer may call, whichever API says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rest_adapter.errors import InvalidRequest
from rest_adapter.json.encoding import encode_in_order, show
from slotline.v1.prompt_pb2 import TOOL_MODE_NONE, TOOL_MODE_REQUIRED, ToolMode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from slotline.v1.prompt_pb2 import ChatPrompt

#: Names that an error lists.
_LISTED = 10


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """What ``tool_choice`` says.

    Attributes:
        allowed: names of the tools that may be called, each with the path of the field that has it; None for all.
        is_one: one call answers it.
    """

    mode: ToolMode.ValueType
    allowed: Sequence[tuple[str, str]] | None = None
    is_one: bool = False


def function_tool(**fields: object) -> dict[str, Any]:
    """A definition in the OpenAI shape of chats, of a function that has these fields but for those that are None."""
    return {"type": "function", "function": {name: value for name, value in fields.items() if value is not None}}


def function_call(call_id: str, name: str, arguments: object) -> dict[str, Any]:
    """A call in the OpenAI shape of chats. In answers, arguments are JSON text."""
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def set_tools(
    chat: ChatPrompt,
    tools: Sequence[Mapping[str, Any]],
    choice: ToolChoice,
    value: object,
    parallel: bool | None,
) -> bool:
    """Set the tools of a conversation and which of them may be called.

    A choice that names a tool is one call, unless several are allowed.

    Args:
        chat: gets them.
        tools: definitions in the OpenAI shape of chats.
        choice: what ``tool_choice`` says.
        value: that field, for errors.
        parallel: whether several calls are allowed; None if nothing says so.

    Returns:
        Whether the answer may call any.

    Raises:
        InvalidRequest: the tools do not offer what is chosen.
    """
    _check_choice(choice, value, [tool["function"]["name"] for tool in tools])
    if not tools:
        return False
    chat.tools_json = encode_in_order(tools)
    chat.tool_policy.mode = choice.mode
    chat.tool_policy.allowed_names.extend(name for _, name in choice.allowed or ())
    if choice.mode == TOOL_MODE_NONE:
        return False
    if parallel is not None or choice.is_one:
        chat.tool_policy.parallel = bool(parallel)
    return True


def _check_choice(choice: ToolChoice, value: object, names: Sequence[str]) -> None:
    if not names and (choice.mode == TOOL_MODE_REQUIRED or choice.allowed is not None):
        raise InvalidRequest("tool_choice", f"{show(value)} needs tools; send at least one, or another tool_choice")
    for path, name in choice.allowed or ():
        if name not in names:
            listed = ", ".join(show(one) for one in names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")
            raise InvalidRequest(path, f"{show(name)} is not among the tools; allowed are {listed}")
