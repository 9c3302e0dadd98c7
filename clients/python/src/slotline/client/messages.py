"""Turns of a conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Required, TypedDict

from slotline.client import checks
from slotline.client.images import content_parts
from slotline.v1 import prompt_pb2


class Message(TypedDict, total=False):
    """One turn of a conversation."""

    #: ``system``, ``user``, ``assistant``, ``tool``, or what else the model's template knows.
    role: Required[str]
    #: Its text, or a list of texts and of pictures that ``image`` makes; None where a turn of the assistant only calls
    #: tools.
    content: str | Sequence[str | prompt_pb2.Image] | None
    #: Name of the speaker, where the template uses one.
    name: str
    #: Turns of the assistant: what it thought first.
    reasoning: str
    #: Turns of the assistant: ``{"id": ..., "type": "function", "function": {"name": ..., "arguments": JSON text}}``.
    tool_calls: Sequence[Mapping[str, object]]
    #: Results of tools: the id of the call.
    tool_call_id: str


def chat_prompt(messages: Sequence[Mapping[str, object]]) -> prompt_pb2.ChatPrompt:
    """A conversation.

    Raises:
        TypeError: a message has no role, an unknown key, or a value of a wrong kind.
        ValueError: tool calls hold a value that JSON does not know.
    """
    return prompt_pb2.ChatPrompt(messages=[_message(f"messages[{i}]", one) for i, one in enumerate(messages)])


def _message(where: str, message: Mapping[str, object]) -> prompt_pb2.ChatMessage:
    if "role" not in message:
        raise TypeError(f"{where}: {dict(message)!r:.80} has no role")
    made = prompt_pb2.ChatMessage()
    content = message.get("content", "")
    if content is not None:
        made.content.extend(content_parts(f"{where}.content", content))
    for key, value in message.items():
        if key in ("role", "name", "reasoning", "tool_call_id"):
            setattr(made, key, checks.text(f"{where}.{key}", value))
        elif key == "tool_calls":
            made.tool_calls_json = _calls(f"{where}.{key}", value)
        elif key != "content":
            raise TypeError(f"{where}: unknown key {key!r:.80}; known are {', '.join(Message.__annotations__)}")
    return made


def _calls(where: str, value: object) -> str:
    if isinstance(value, str) or not isinstance(value, Sequence):
        checks.refuse_type(where, value, "a list of tool calls")
    calls = [dict(checks.mapping(f"{where}[{i}]", one, "a tool call")) for i, one in enumerate(value)]
    return checks.json_text(where, calls)
