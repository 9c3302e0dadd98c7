"""A conversation of the contract as chat templates see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.api.convert.checks import count_at_most, read_json, shown
from service.api.convert.reasoning import reasoning_variables
from service.dialogue.preparation import prepared
from service.errors import InvalidArgument
from service.prompts.templates import RESERVED, Conversation
from slotline.v1 import prompt_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.api.served_model import ServedModel

    ShowPicture = Callable[[prompt_pb2.Image, str], str]


def conversation(chat: prompt_pb2.ChatPrompt, model: ServedModel, show: ShowPicture) -> Conversation:
    """A conversation as the model's chat template wants to see it.

    Args:
        chat: the conversation.
        model: whose template it is.
        show: takes a picture and the path of its field, and gives the text that the template sees in its place.

    Raises:
        InvalidArgument: a part of it is malformed, too large, or asks for what the template cannot do.
        NotSupported: it has pictures, and the model takes none.
    """
    if not chat.messages:
        raise InvalidArgument("chat.messages", "is empty; at least one message is needed")
    variables = read_json(chat.template_kwargs_json, "chat.template_kwargs_json", dict, "a JSON object")
    for name in sorted(RESERVED & variables.keys()):
        raise InvalidArgument("chat.template_kwargs_json", f"sets {name!r}, which the server sets itself")
    form = model.chat_format
    variables |= reasoning_variables(chat.reasoning, form, variables)
    tools = read_json(chat.tools_json, "chat.tools_json", list, "a JSON array") if chat.HasField("tools_json") else None
    count_at_most("chat.tools_json", len(tools or ()), model.limits.max_tools)
    messages, shown_tools = prepared(
        [_message(message, f"chat.messages[{index}]", show) for index, message in enumerate(chat.messages)],
        tools,
        form,
        may_call=chat.tool_policy.mode != prompt_pb2.TOOL_MODE_NONE,
    )
    return Conversation(
        messages=messages,
        add_generation_prompt=not chat.HasField("add_generation_prompt") or chat.add_generation_prompt,
        tools=shown_tools,
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
    if not any(part.text or part.HasField("image") for part in last.content):
        raise InvalidArgument(f"{field}.content", "is empty; there must be a text to continue")
    if last.HasField("tool_calls_json"):
        raise InvalidArgument(f"{field}.tool_calls_json", "is set; a message with tool calls cannot be continued")


def _message(message: prompt_pb2.ChatMessage, field: str, show: ShowPicture) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": message.role, "content": _content(message.content, field, show)}
    if message.HasField("name"):
        turn["name"] = message.name
    if message.HasField("tool_calls_json"):
        turn["tool_calls"] = _tool_calls(message.tool_calls_json, f"{field}.tool_calls_json")
    if message.HasField("tool_call_id"):
        turn["tool_call_id"] = message.tool_call_id
    if message.HasField("reasoning"):
        turn["reasoning_content"] = message.reasoning
    return turn


def _content(parts: Sequence[prompt_pb2.PromptPart], field: str, show: ShowPicture) -> str:
    texts = []
    for index, part in enumerate(parts):
        match part.WhichOneof("part"):
            case "text":
                texts.append(part.text)
            case "image":
                texts.append(show(part.image, f"{field}.content[{index}].image"))
            case kind:
                raise InvalidArgument(
                    f"{field}.content[{index}]", f"is {kind or 'empty'}; a message's content is made of text and images"
                )
    return "".join(texts)


def _tool_calls(text: str, field: str) -> list[dict[str, Any]]:
    """Tool calls in the OpenAI shape, with arguments as an object, not as JSON text."""
    calls = read_json(text, field, list, "a JSON array")
    return [_tool_call(call, f"{field}[{index}]") for index, call in enumerate(calls)]


def _tool_call(call: Any, field: str) -> dict[str, Any]:
    function = _object(_object(call, field).get("function"), f"{field}.function")
    name = function.get("name")
    if not isinstance(name, str) or not name:
        raise InvalidArgument(f"{field}.function.name", f"is {shown(name)}; allowed is the name of a tool")
    if not isinstance(call.get("id", ""), str):
        raise InvalidArgument(f"{field}.id", f"is {shown(call['id'])}; allowed is a text")
    arguments, path = function.get("arguments", ""), f"{field}.function.arguments"
    if isinstance(arguments, str):
        arguments = read_json(arguments, path, dict, "the text of a JSON object")
    return {**call, "function": {**function, "arguments": _object(arguments, path)}}


def _object(value: Any, field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidArgument(field, f"is {shown(value)}; allowed is a JSON object")
    return value
