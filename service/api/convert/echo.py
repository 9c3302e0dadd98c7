"""Requests as they are shown while they run: with descriptions of their pictures in place of their bytes.

So the bytes, which may be many, are held no longer than it takes to encode them.
"""

from __future__ import annotations

import hashlib

from slotline.v1 import generation_pb2, prompt_pb2

_SIGNATURES = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF8", "gif"), (b"BM", "bmp"))
_WEBP = "webp"
#: Formats of pictures that can be used.
FORMATS = (*(name for _, name in _SIGNATURES), _WEBP)


def without_pictures(request: generation_pb2.GenerateRequest) -> generation_pb2.GenerateRequest:
    """The prompt of a request, without anything else of it, and without bytes of pictures."""
    match request.WhichOneof("prompt"):
        case "parts":
            return generation_pb2.GenerateRequest(
                parts=prompt_pb2.PromptParts(parts=[_described(part) for part in request.parts.parts])
            )
        case "chat":
            return generation_pb2.GenerateRequest(chat=_described_chat(request.chat))
        case _:
            return request


def _described_chat(chat: prompt_pb2.ChatPrompt) -> prompt_pb2.ChatPrompt:
    described = prompt_pb2.ChatPrompt()
    for field, value in chat.ListFields():
        if field.name == "messages":
            described.messages.extend(_described_message(message) for message in value)
        elif field.message_type is not None:
            getattr(described, field.name).CopyFrom(value)
        else:
            setattr(described, field.name, value)
    return described


def _described_message(message: prompt_pb2.ChatMessage) -> prompt_pb2.ChatMessage:
    described = prompt_pb2.ChatMessage(content=[_described(part) for part in message.content])
    for field, value in message.ListFields():
        if field.name != "content":
            setattr(described, field.name, value)
    return described


def _described(part: prompt_pb2.PromptPart) -> prompt_pb2.PromptPart:
    return prompt_pb2.PromptPart(image=_description(part.image.data)) if part.HasField("image") else part


def _description(data: bytes) -> prompt_pb2.Image:
    return prompt_pb2.Image(size_bytes=len(data), format=format_of(data), sha256=hashlib.sha256(data).hexdigest())


def format_of(data: bytes) -> str:
    """The format of a picture that could be used, by its first bytes."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _WEBP
    return next((name for signature, name in _SIGNATURES if data.startswith(signature)), "")
