"""Options of a conversation: tools, reasoning, variables of the chat template."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from slotline.client import checks
from slotline.client.tools import declarations
from slotline.v1 import prompt_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from slotline.v1.generation_pb2 import GenerateRequest

#: Whether tools are called; see ``GenerateOptions``.
ToolChoice = Literal["none", "auto", "required"]
_TOOL_MODES = {
    "none": prompt_pb2.TOOL_MODE_NONE,
    "auto": prompt_pb2.TOOL_MODE_AUTO,
    "required": prompt_pb2.TOOL_MODE_REQUIRED,
}


def _chat(request: GenerateRequest, name: str) -> prompt_pb2.ChatPrompt:
    kind = request.WhichOneof("prompt")
    if kind != "chat":
        raise ValueError(f"{name}: is for conversations only; the prompt is {kind}, allowed are messages")
    return request.chat


def _set_tools(request: GenerateRequest, name: str, value: object) -> None:
    _chat(request, name).tools_json = checks.json_text(name, declarations(name, value))


def _set_tool_choice(request: GenerateRequest, name: str, value: object) -> None:
    _chat(request, name).tool_policy.mode = checks.word(name, value, _TOOL_MODES)


def _set_allowed_tools(request: GenerateRequest, name: str, value: object) -> None:
    _chat(request, name).tool_policy.allowed_names.extend(checks.texts(name, value))


def _set_parallel_tool_calls(request: GenerateRequest, name: str, value: object) -> None:
    _chat(request, name).tool_policy.parallel = checks.boolean(name, value)


def _set_enable_thinking(request: GenerateRequest, name: str, value: object) -> None:
    _chat(request, name).reasoning.enabled = checks.boolean(name, value)


def _set_reasoning_effort(request: GenerateRequest, name: str, value: object) -> None:
    _chat(request, name).reasoning.effort = checks.text(name, value)


def _set_reasoning_budget(request: GenerateRequest, name: str, value: object) -> None:
    _chat(request, name).reasoning.budget_tokens = checks.integer(name, value, checks.UINT32)


def _set_reasoning_budget_message(request: GenerateRequest, name: str, value: object) -> None:
    _chat(request, name).reasoning.budget_message = checks.text(name, value)


def _set_reasoning_lenient(request: GenerateRequest, name: str, value: object) -> None:
    _chat(request, name).reasoning.lenient = checks.boolean(name, value)


def _set_template_kwargs(request: GenerateRequest, name: str, value: object) -> None:
    variables = checks.mapping(name, value, "a mapping from names of variables to values")
    _chat(request, name).template_kwargs_json = checks.json_text(name, variables)


def _set_switch(request: GenerateRequest, name: str, value: object) -> None:
    setattr(_chat(request, name), name, checks.boolean(name, value))


#: From the name of an option to what sets it.
SETTERS: Mapping[str, Callable[[GenerateRequest, str, object], None]] = {
    "tools": _set_tools,
    "tool_choice": _set_tool_choice,
    "allowed_tools": _set_allowed_tools,
    "parallel_tool_calls": _set_parallel_tool_calls,
    "enable_thinking": _set_enable_thinking,
    "reasoning_effort": _set_reasoning_effort,
    "reasoning_budget_tokens": _set_reasoning_budget,
    "reasoning_budget_message": _set_reasoning_budget_message,
    "reasoning_lenient": _set_reasoning_lenient,
    "template_kwargs": _set_template_kwargs,
    "continue_final_message": _set_switch,
    "add_generation_prompt": _set_switch,
}

#: Options that mean nothing unless the parts of an answer are told apart.
PARSED = ("tools", "tool_choice", "allowed_tools", "parallel_tool_calls", "reasoning_budget_tokens")
