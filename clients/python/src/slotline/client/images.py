"""Pictures in prompts: files as parts of messages, of prompts, and of what is embedded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from slotline.client import checks
from slotline.v1 import prompt_pb2, tokens_pb2

#: A piece of a prompt: a text, a picture, or token ids.
Part = str | prompt_pb2.Image | Sequence[int]


def image(source: str | os.PathLike[str] | bytes | bytearray | memoryview) -> prompt_pb2.Image:
    """A picture, for the content of a message, for a prompt of parts, or for what is embedded.

    The file is sent as it is. ``Model.images`` says which formats and sizes the server takes, and is absent if its
    model takes no pictures.

    Args:
        source: path of a file (PNG, JPEG, WebP, GIF or BMP), or the bytes of one.

    Raises:
        OSError: the file cannot be read.
        TypeError: the source is neither a path nor bytes.
        ValueError: there are no bytes.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        name, data = "source", bytes(source)
    elif isinstance(source, str | os.PathLike):
        name, data = f"source {os.fspath(source)!r}", Path(source).read_bytes()
    else:
        checks.refuse_type("source", source, "the path of a file or its bytes")
    if not data:
        raise ValueError(f"{name}: is empty; a picture is the bytes of a PNG, JPEG, WebP, GIF or BMP file")
    return prompt_pb2.Image(data=data)


def parts_message(where: str, parts: Sequence[object]) -> prompt_pb2.PromptParts:
    """Parts of a prompt or of an input.

    Raises:
        TypeError: one is of an unknown kind, or all are texts, which might be meant for several prompts.
    """
    if all(isinstance(part, str) for part in parts):
        checks.refuse_type(where, list(parts), "one prompt; join its texts")
    return prompt_pb2.PromptParts(parts=[_part(f"{where}[{i}]", part) for i, part in enumerate(parts)])


def content_parts(where: str, content: object) -> list[prompt_pb2.PromptPart]:
    """The content of a message: a text, or texts and pictures in their order.

    Raises:
        TypeError: it is something else.
    """
    if isinstance(content, str):
        return [prompt_pb2.PromptPart(text=content)]
    if isinstance(content, prompt_pb2.Image):
        return [prompt_pb2.PromptPart(image=content)]
    if isinstance(content, bytes | bytearray) or not isinstance(content, Sequence):
        checks.refuse_type(where, content, "a text, or a list of texts and pictures")
    for i, part in enumerate(content):
        if not isinstance(part, str | prompt_pb2.Image):
            checks.refuse_type(f"{where}[{i}]", part, "a text or a picture, which image(...) makes")
    return [_part(where, part) for part in content]


def _part(where: str, part: object) -> prompt_pb2.PromptPart:
    if isinstance(part, str):
        return prompt_pb2.PromptPart(text=part)
    if isinstance(part, prompt_pb2.Image):
        return prompt_pb2.PromptPart(image=part)
    if isinstance(part, Sequence) and not isinstance(part, bytes | bytearray):
        return prompt_pb2.PromptPart(token_ids=tokens_pb2.TokenIds(ids=checks.token_ids(where, part)))
    return checks.refuse_type(where, part, "a text, a list of token ids, or a picture, which image(...) makes")
