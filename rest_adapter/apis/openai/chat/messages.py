"""The messages of a conversation, from JSON to turns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.fields import read_list, read_object, read_str, refusal
from rest_adapter.apis.common.pictures import IMAGE_URL, Pictures, read_image_url
from rest_adapter.errors import INVALID_TYPE, INVALID_VALUE, MISSING, UNSUPPORTED, InvalidRequest
from rest_adapter.json.encoding import encode_in_order

if TYPE_CHECKING:
    from slotline.v1.prompt_pb2 import ChatMessage, ChatPrompt

#: Content of messages that is not supported, and cannot be ignored without changing the conversation.
_OTHER_MESSAGES = ("function_call", "audio")
#: Roles whose content must be text. The assistant's may be null, beside tool calls or a refusal.
SPEAKERS_WITH_TEXT = ("system", "developer", "user")

#: Parts that the OpenAI API or other servers have, and this one does not.
OTHER_PARTS = ("input_audio", "audio_url", "video_url", "file")

#: What llama.cpp's server and what vLLM call the thoughts of an earlier turn.
REASONING = ("reasoning_content", "reasoning")


def read_messages(chat: ChatPrompt, value: object) -> Pictures:
    """Read the field ``messages``, of which there must be at least one.

    Returns:
        The pictures of the messages.

    Raises:
        InvalidRequest: it is missing, or a message has a value that is not allowed.
    """
    if value is None:
        raise InvalidRequest("messages", "is missing; send an array of objects with role and content", MISSING)
    messages = read_list("messages", value, "objects with role and content")
    if not messages:
        raise InvalidRequest("messages", "[] is empty; at least one message is needed")
    pictures = Pictures()
    for i, message in enumerate(messages):
        name = f"messages[{i}]"
        _read_message(chat.messages.add(), name, read_object(name, message), pictures)
    return pictures


def join_texts(chat: ChatPrompt) -> None:
    """Put the texts of each message on lines of their own, as llama.cpp's server does today.

    Those of a last message that is continued are paragraphs. What follows a picture, or no text so far, goes on in its
    line.
    """
    last = len(chat.messages) - 1
    for i, message in enumerate(chat.messages):
        is_continued = i == last and chat.continue_final_message
        _join(message, "\n\n" if is_continued else "\n")


def _join(message: ChatMessage, separator: str) -> None:
    has_text = is_behind_text = False
    for part in message.content:
        is_text, length = part.WhichOneof("part") == "text", len(part.text)
        if is_text and is_behind_text and has_text:
            part.text = separator + part.text
        has_text, is_behind_text = has_text or length > 0, is_text


def _read_message(target: ChatMessage, name: str, message: dict[str, object], pictures: Pictures) -> None:
    role, content = message.get("role"), message.get("content")
    if role is None or role == "":
        raise InvalidRequest(f"{name}.role", "is missing; send who speaks: system, user, assistant or tool", MISSING)
    target.role = read_str(f"{name}.role", role)
    if content is None and target.role in SPEAKERS_WITH_TEXT:
        raise InvalidRequest(f"{name}.content", "is missing; send a string or an array of parts", MISSING)
    if isinstance(content, list):
        for i, part in enumerate(content):
            _read_part(target, f"{name}.content[{i}]", part, pictures)
    elif content is not None:
        target.content.add(text=_read_content(f"{name}.content", content))
    if message.get("refusal") is not None:
        target.content.add(text=read_str(f"{name}.refusal", message["refusal"]))
    for key in _OTHER_MESSAGES:
        if message.get(key):
            raise InvalidRequest(f"{name}.{key}", "is not supported; leave it out", UNSUPPORTED)
    if message.get("name") is not None:
        target.name = read_str(f"{name}.name", message["name"])
    if message.get("tool_call_id") is not None:
        target.tool_call_id = read_str(f"{name}.tool_call_id", message["tool_call_id"])
    if message.get("tool_calls"):
        calls = read_list(f"{name}.tool_calls", message["tool_calls"], "tool calls")
        target.tool_calls_json = encode_in_order(calls)
    if target.role == "assistant":
        _read_reasoning(target, name, message)


def _read_reasoning(target: ChatMessage, name: str, message: dict[str, object]) -> None:
    given = {key: value for key in REASONING if (value := message.get(key)) is not None}
    texts = {key: read_str(f"{name}.{key}", value) for key, value in given.items()}
    if len(set(texts.values())) > 1:
        problem = f"is not the same text as {name}.{REASONING[1]}; send one of them"
        raise InvalidRequest(f"{name}.{REASONING[0]}", problem)
    for text in texts.values():
        target.reasoning = text


def _read_content(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    raise refusal(name, value, "a string or an array of parts", INVALID_TYPE)


def _read_part(target: ChatMessage, name: str, part: object, pictures: Pictures) -> None:
    """Add a part of the content. A refusal of the assistant is text, too."""
    if isinstance(part, str):
        target.content.add(text=part)
        return
    if not isinstance(part, dict):
        raise refusal(name, part, 'a part, as in {"type":"text","text":"..."}', INVALID_TYPE)
    kind, kinds = part.get("type"), ("text", "refusal") if target.role == "assistant" else ("text",)
    if kind == IMAGE_URL:
        # Each part here is one of the request, so that places there are those in the body.
        read_image_url(pictures, target.content.add(), f"chat.{name}", name, part)
    elif kind in kinds:
        target.content.add(text=read_str(f"{name}.{kind}", part.get(kind)))
    else:
        allowed = " or ".join(f'"{one}"' for one in (*kinds, IMAGE_URL))
        raise refusal(f"{name}.type", kind, allowed, UNSUPPORTED if kind in OTHER_PARTS else INVALID_VALUE)
