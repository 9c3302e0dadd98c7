"""The tools of a body, and which of them the answer may call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta, Struct

from rest_adapter.apis.common.fields import refusal
from rest_adapter.apis.common.structs import read_struct
from rest_adapter.apis.common.tool_choice import ToolChoice, function_tool, set_tools
from rest_adapter.apis.openai.chat.tools import MODES
from rest_adapter.apis.openai.responses.conversation import CUSTOM_INPUT
from rest_adapter.errors import MISSING, InvalidRequest
from rest_adapter.json.encoding import show
from slotline.v1.prompt_pb2 import TOOL_MODE_AUTO, TOOL_MODE_REQUIRED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from slotline.v1.prompt_pb2 import ChatPrompt

_Name = Annotated[str, Meta(min_length=1)]


class FunctionTool(Struct):
    """A function with parameters."""

    type: Literal["function"]
    name: Annotated[_Name, Meta(description="Unlike those of the other tools.")]
    description: Annotated[str | None, Meta(description="What it does, for the model.")] = None
    parameters: Annotated[dict[str, Any] | None, Meta(description="JSON Schema of the arguments; none without it.")] = (
        None
    )
    strict: Annotated[
        bool | None,
        Meta(description="Refuse parameters that cannot be enforced in full. By default what cannot be is left out."),
    ] = None


class InputFormat(Struct):
    """What the input of a custom tool may be."""

    type: Literal["text", "grammar"]
    syntax: Literal["lark", "regex"] | None = None
    definition: str | None = None


class CustomTool(Struct):
    """A tool whose input is a text."""

    type: Literal["custom"]
    name: Annotated[_Name, Meta(description="Unlike those of the other tools.")]
    description: Annotated[str | None, Meta(description="What it does, for the model.")] = None
    format: Annotated[
        InputFormat | None,
        Meta(
            description="Any text, or a regular expression or a grammar that all of it obeys. Lark is refused "
            "for models that write arguments as JSON."
        ),
    ] = None


class NamedTool(Struct):
    """A tool by its name."""

    type: Literal["function", "custom"]
    name: _Name


class AllowedTools(Struct):
    """Tools of which the answer may call any."""

    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"]
    tools: list[dict[str, Any]]


#: Structs of tools by their types.
TOOLS: dict[str, type[FunctionTool | CustomTool]] = {"function": FunctionTool, "custom": CustomTool}
_CHOICES = '"none", "auto", "required", or an object whose type is "function", "custom" or "allowed_tools"'


@dataclass(slots=True)
class Tools:
    """The tools that are offered.

    Attributes:
        given: as the body has them.
        places: number of each in the body, which may have others, too.
        custom: names of the custom tools.
        calls: whether the answer may call any.
    """

    given: list[dict[str, Any]] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    custom: set[str] = field(default_factory=set)
    calls: bool = False


def read_response_tools(
    chat: ChatPrompt, tools: Sequence[dict[str, Any]] | None, choice: object, parallel: bool | None
) -> Tools:
    """Set the tools of a body and which of them may be called.

    Tools of other types than functions and custom tools, which the server would have to run itself, are left out.

    Raises:
        InvalidRequest: one of the fields has a value that is not allowed.
    """
    read = Tools()
    functions = []
    for i, value in enumerate(tools or ()):
        if (kind := _kind_of(value)) is None:
            continue
        tool = read_struct(value, kind, f"tools[{i}]")
        functions.append(_function(tool, f"tools[{i}]"))
        read.given.append(value)
        read.places.append(i)
        if isinstance(tool, CustomTool):
            read.custom.add(tool.name)
    read.calls = set_tools(chat, functions, _read_choice(choice), choice, parallel)
    return read


def _kind_of(tool: Mapping[str, Any]) -> type[FunctionTool | CustomTool] | None:
    """The struct of a tool; None for tools of types that are left out."""
    kind = tool.get("type")
    return TOOLS.get(kind) if isinstance(kind, str) else None


def _function(tool: FunctionTool | CustomTool, path: str) -> dict[str, Any]:
    """A tool as chats have it."""
    if isinstance(tool, FunctionTool):
        return function_tool(
            name=tool.name, description=tool.description, parameters=tool.parameters, strict=tool.strict
        )
    grammar = _grammar(tool.format, f"{path}.format")
    text = {"type": "string"} if grammar is None else {"type": "string", "x-grammar": grammar}
    parameters = {
        "type": "object",
        "properties": {CUSTOM_INPUT: text},
        "required": [CUSTOM_INPUT],
        "additionalProperties": False,
    }
    # A grammar that cannot be enforced is refused.
    strict = None if grammar is None else True
    return function_tool(name=tool.name, description=tool.description, strict=strict, parameters=parameters)


def _grammar(form: InputFormat | None, path: str) -> dict[str, str] | None:
    """The grammar of a custom tool's input; None for any text."""
    if form is None or form.type == "text":
        return None
    if form.syntax is None:
        raise InvalidRequest(f"{path}.syntax", 'is missing; send "lark" or "regex"', MISSING)
    if not form.definition:
        raise InvalidRequest(f"{path}.definition", "is missing; send a grammar", MISSING)
    return {"syntax": form.syntax, "definition": form.definition}


def _read_choice(value: object) -> ToolChoice:
    if value is None:
        return ToolChoice(TOOL_MODE_AUTO)
    if isinstance(value, str) and value in MODES:
        return ToolChoice(MODES[value])
    if not isinstance(value, dict):
        raise refusal("tool_choice", value, _CHOICES)
    match value.get("type"):
        case "function" | "custom":
            named = read_struct(value, NamedTool, "tool_choice")
            return ToolChoice(TOOL_MODE_REQUIRED, [("tool_choice.name", named.name)], is_one=True)
        case "allowed_tools":
            return _read_allowed(read_struct(value, AllowedTools, "tool_choice"))
        case kind:
            raise refusal("tool_choice.type", kind, ", ".join(f'"{word}"' for word in (*TOOLS, "allowed_tools")))


def _read_allowed(value: AllowedTools) -> ToolChoice:
    """The tools that may be called. Those of types that are left out cannot be."""
    named = [
        (f"tool_choice.tools[{i}].name", read_struct(tool, NamedTool, f"tool_choice.tools[{i}]").name)
        for i, tool in enumerate(value.tools)
        if _kind_of(tool) is not None
    ]
    if not named:
        problem = f"{show(value.tools)} has no function and no custom tool; name at least one"
        raise InvalidRequest("tool_choice.tools", f'{problem}, or send "none" as tool_choice')
    return ToolChoice(MODES[value.mode], named)
