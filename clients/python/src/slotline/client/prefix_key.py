"""The prefix key: equal for prompts that begin alike, so that they meet at the server that has this beginning cached.

``clients/README.md`` says how it is made, for all languages.
"""

from __future__ import annotations

import hashlib
import struct
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from slotline.v1 import prompt_pb2
    from slotline.v1.generation_pb2 import GenerateRequest

_BLOCK_BYTES = 256
_N_BLOCKS = 4
#: Characters, or bytes, of a text that may count.
_MOST = _BLOCK_BYTES * _N_BLOCKS
_N_DIGITS = 32


def prefix_key(request: GenerateRequest) -> str:
    """The key of a prompt: 32 hexadecimal digits, or "" for one of less than 256 bytes."""
    beginning = bytearray()
    for part in _prompt_bytes(request):
        beginning += part
        if len(beginning) >= _MOST:
            break
    n_blocks = min(len(beginning) // _BLOCK_BYTES, _N_BLOCKS)
    if not n_blocks:
        return ""
    chat = request.chat
    root = (request.model, request.cache.cache_salt, chat.tools_json, chat.template_kwargs_json)
    digest = hashlib.sha256("\0".join(root).encode()).digest()
    for start in range(0, n_blocks * _BLOCK_BYTES, _BLOCK_BYTES):
        digest = hashlib.sha256(digest + beginning[start : start + _BLOCK_BYTES]).digest()
    return digest.hex()[:_N_DIGITS]


def ranked(targets: Sequence[str], key: str) -> list[str]:
    """The targets in the order in which a prompt with this key is offered to them."""
    return sorted(targets, key=lambda target: hashlib.sha256(f"{key}\n{target}".encode()).digest(), reverse=True)


def _prompt_bytes(request: GenerateRequest) -> Iterator[bytes]:
    match request.WhichOneof("prompt"):
        case "text":
            yield _text_bytes(request.text)
        case "token_ids":
            yield _id_bytes(request.token_ids.ids)
        case "parts":
            yield from _parts_bytes(request.parts.parts)
        case "infill":
            yield from _parts_bytes(request.infill.prefix.parts)
            yield from _parts_bytes(request.infill.suffix.parts)
        case "chat":
            for message in request.chat.messages:
                yield message.role.encode() + b"\0"
                yield from _parts_bytes(message.content)
                yield b"\0"


def _parts_bytes(parts: Iterable[prompt_pb2.PromptPart]) -> Iterator[bytes]:
    for part in parts:
        match part.WhichOneof("part"):
            case "text":
                yield _text_bytes(part.text)
            case "token_ids":
                yield _id_bytes(part.token_ids.ids)
            case "image":
                yield hashlib.sha256(part.image.data).digest()


def _text_bytes(text: str) -> bytes:
    return text[:_MOST].encode()


def _id_bytes(ids: Iterable[int]) -> bytes:
    return b"".join(struct.pack("<I", one) for one in islice(ids, _MOST))
