"""A conversation of the contract as chat templates see it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from service.errors import InvalidArgument, NotImplementedFeature
from service.prompts.templates import RESERVED, Conversation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slotline.v1 import prompt_pb2


def conversation(chat: prompt_pb2.ChatPrompt) -> Conversation:
    """A conversation as templates see it."""
    if not chat.messages:
        raise InvalidArgument("chat.messages", "is empty; at least one message is needed")
    variables = _json(chat.template_kwargs_json, "chat.template_kwargs_json", dict, "a JSON object")
    for name in sorted(RESERVED & variables.keys()):
        raise InvalidArgument("chat.template_kwargs_json", f"sets {name!r}, which the server sets itself")
    tools = _json(chat.tools_json, "chat.tools_json", list, "a JSON array") if chat.HasField("tools_json") else None
    return Conversation(
        messages=[_message(message, f"chat.messages[{index}]") for index, message in enumerate(chat.messages)],
        add_generation_prompt=not chat.HasField("add_generation_prompt") or chat.add_generation_prompt,
        tools=tools or None,
        variables=variables,
    )


def check_continued(chat: prompt_pb2.ChatPrompt) -> None:
    """Check a conversation whose last message is to be continued.

    Raises:
        InvalidArgument: that message cannot be continued.
    """
    if chat.HasField("add_generation_prompt") and chat.add_generation_prompt:
        raise InvalidArgument(
            "chat.add_generation_prompt", "true is not allowed together with continue_final_message; leave it out"
        )
    last, field = chat.messages[-1], f"chat.messages[{len(chat.messages) - 1}]"
    if last.role != "assistant":
        raise InvalidArgument(f"{field}.role", f"{last.role[:60]!r} cannot be continued; allowed is 'assistant'")
    if not _content(last.content, field):
        raise InvalidArgument(f"{field}.content", "is empty; there must be a text to continue")
    if last.HasField("tool_calls_json"):
        raise InvalidArgument(f"{field}.tool_calls_json", "is set; a message with tool calls cannot be continued")


def _message(message: prompt_pb2.ChatMessage, field: str) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": message.role, "content": _content(message.content, field)}
    if message.HasField("name"):
        turn["name"] = message.name
    if message.HasField("tool_calls_json"):
        path = f"{field}.tool_calls_json"
        turn["tool_calls"] = [_tool_call(call) for call in _json(message.tool_calls_json, path, list, "a JSON array")]
    if message.HasField("tool_call_id"):
        turn["tool_call_id"] = message.tool_call_id
    return turn


def _content(parts: Sequence[prompt_pb2.PromptPart], field: str) -> str:
    texts = []
    for index, part in enumerate(parts):
        match part.WhichOneof("part"):
            case "text":
                texts.append(part.text)
            case "image":
                raise NotImplementedFeature("images in prompts")
            case kind:
                raise InvalidArgument(
                    f"{field}.content[{index}]", f"is {kind or 'empty'}; a message's content is made of text"
                )
    return "".join(texts)


def _tool_call(call: Any) -> Any:
    """A tool call as templates expect it: with arguments as an object, not as JSON text as in the OpenAI API."""
    match call:
        case {"function": {"arguments": str(arguments), **function}, **others}:
            try:
                parsed = json.loads(arguments)
            except (ValueError, RecursionError):
                return call
            return {**others, "function": {**function, "arguments": parsed}}
        case _:
            return call


def _json(text: str, field: str, kind: type, allowed: str) -> Any:
    if not text:
        return kind()
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidArgument(field, f"is not JSON ({error}); allowed is {allowed}") from error
    except RecursionError as error:
        raise InvalidArgument(field, f"nests too deeply; allowed is {allowed}") from error
    if not isinstance(value, kind):
        raise InvalidArgument(field, f"is {type(value).__name__}; allowed is {allowed}")
    return value
