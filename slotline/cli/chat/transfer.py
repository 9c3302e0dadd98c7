"""Conversations in files, in the format that the web page exports and imports."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, NoReturn

from slotline.cli.chat.conversation import Conversation, Finish, Message, Role, Statistics, ToolCall, new_id
from slotline.cli.chat.json_files import parse_json
from slotline.cli.chat.pictures import is_picture
from slotline.cli.options.files import read_text, reason_of
from slotline.cli.options.values import InvalidValue
from slotline.protocol.excerpt import excerpt

FORMAT = "slotline-conversations"
VERSION = 1
#: Exports of many conversations with images are large, but a device that never ends must not be read for ever.
MAX_BYTES = 256 * 1024 * 1024
_UNTITLED = "New conversation"
_STATISTICS = {
    "n_tokens": "nTokens",
    "n_prompt_tokens": "nPromptTokens",
    "n_cached_tokens": "nCachedTokens",
    "tokens_per_second": "tokensPerSecond",
    "first_token_ms": "firstTokenMs",
    "total_ms": "totalMs",
    "n_truncated_tokens": "nTruncatedTokens",
}


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def conversation_file(name: str, path: str) -> Conversation:
    """The conversation in a file, or of several the one that was changed last.

    Raises:
        InvalidValue: the file cannot be read, or does not hold what it should; the text says where.
    """
    return max(conversations_in(name, path), key=lambda conversation: conversation.updated_ms)


def conversations_in(name: str, path: str) -> list[Conversation]:
    """All conversations in a file, at least one.

    Args:
        name: the option or command that named the file, for messages.
        path: the file.

    Raises:
        InvalidValue: see ``conversation_file``.
    """
    where = f"{name} {path}"
    content = parse_json(where, read_text(name, path, MAX_BYTES))
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InvalidValue(f'{where}: holds no conversations; allowed is an object with "format": "{FORMAT}"')
    if content.get("version") != VERSION:
        raise InvalidValue(f"{where}: version is {_shown(content.get('version'))}; allowed is {VERSION}")
    entries = _list(where, "conversations", content.get("conversations"))
    if not entries:
        raise InvalidValue(f"{where}: conversations is empty; at least one is needed")
    return [_conversation(where, f"conversations[{i}]", entry) for i, entry in enumerate(entries)]


def write_conversation(name: str, path: str, conversation: Conversation) -> None:
    """Write one conversation; what the file held before is there until all is written.

    Raises:
        InvalidValue: the file cannot be written, or holds anything else than this conversation.
    """
    if os.path.lexists(path) and not _holds_only(name, path, conversation):
        raise InvalidValue(f"{name} {path}: exists and holds something else; choose another name")
    document = {"format": FORMAT, "version": VERSION, "conversations": [_conversation_json(conversation)]}
    data = (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode(errors="replace")
    if len(data) > MAX_BYTES:
        raise InvalidValue(f"{name} {path}: would have {len(data)} bytes; {MAX_BYTES} can be read again")
    try:
        _replace(path, data)
    except (OSError, ValueError) as error:
        raise InvalidValue(f"{name} {path}: cannot be written: {reason_of(error)}") from None


def _holds_only(name: str, path: str, conversation: Conversation) -> bool:
    try:
        return [one.id for one in conversations_in(name, path)] == [conversation.id]
    except InvalidValue:
        return False


def _replace(path: str, data: bytes) -> None:
    path = os.path.realpath(path)
    handle, temporary = tempfile.mkstemp(prefix=".slotline-", dir=os.path.dirname(path))
    try:
        # Conversations are private: the mode of temporary files, 0600, is right for them.
        with open(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _conversation_json(conversation: Conversation) -> dict[str, Any]:
    return {
        **conversation.origin,
        "id": conversation.id,
        "title": conversation.shown_title or _UNTITLED,
        "isRenamed": bool(conversation.title),
        "createdAt": conversation.created_ms,
        "updatedAt": conversation.updated_ms,
        "systemPrompt": conversation.system_prompt,
        "messages": [_message_json(message) for message in conversation.messages],
    }


def _message_json(message: Message) -> dict[str, Any]:
    statistics = message.statistics
    return {
        "tokens": [],
        **message.origin,
        "images": list(message.images),
        "id": message.id,
        "role": message.role.value,
        "content": message.content,
        "statistics": statistics and _figures(statistics),
        "finish": message.finish and message.finish.value,
        "error": message.error,
        **_thinking(message),
        **({"toolCalls": [_call_json(call) for call in message.calls]} if message.calls else {}),
    }


def _thinking(message: Message) -> dict[str, Any]:
    # Rarely there, and unknown to older pages.
    return {"reasoning": message.reasoning, "reasoningMs": message.reasoning_ms} if message.reasoning else {}


def _call_json(call: ToolCall) -> dict[str, Any]:
    return {
        "id": call.id,
        "name": call.name,
        "arguments": call.arguments,
        "result": call.result,
        "totalMs": call.total_ms,
    }


def _figures(statistics: Statistics) -> dict[str, object]:
    figures = {key: getattr(statistics, ours) for ours, key in _STATISTICS.items()}
    if statistics.n_truncated_tokens is None:
        # Rarely there, and unknown to older pages.
        del figures["nTruncatedTokens"]
    return figures


def _conversation(where: str, path: str, entry: object) -> Conversation:
    if not isinstance(entry, dict):
        _refuse(where, path, entry, "an object with messages")
    conversation = Conversation(now_ms, _text(where, f"{path}.systemPrompt", entry.get("systemPrompt")))
    messages = _list(where, f"{path}.messages", entry.get("messages"))
    conversation.messages = [_message(where, f"{path}.messages[{i}]", one) for i, one in enumerate(messages)]
    conversation.id = _text(where, f"{path}.id", entry.get("id")) or conversation.id
    title = _text(where, f"{path}.title", entry.get("title"))
    # A title that nobody chose follows the first question.
    conversation.title = "" if entry.get("isRenamed") is False else title
    conversation.created_ms = _time(entry.get("createdAt"), conversation.created_ms)
    conversation.updated_ms = _time(entry.get("updatedAt"), conversation.created_ms)
    conversation.origin = entry
    return conversation


def _message(where: str, path: str, entry: object) -> Message:
    if not isinstance(entry, dict):
        _refuse(where, path, entry, "an object with role and content")
    roles = {role.value: role for role in Role}
    role = entry.get("role")
    if not isinstance(role, str) or role not in roles:
        _refuse(where, f"{path}.role", role, " or ".join(f'"{one}"' for one in roles))
    return Message(
        role=roles[role],
        content=_needed_text(where, f"{path}.content", entry.get("content")),
        finish=_finish(where, f"{path}.finish", entry.get("finish")),
        error=_text(where, f"{path}.error", entry.get("error")),
        statistics=_statistics(entry.get("statistics")),
        reasoning=_text(where, f"{path}.reasoning", entry.get("reasoning")),
        reasoning_ms=_figure(entry.get("reasoningMs")),
        calls=_calls(where, f"{path}.toolCalls", entry.get("toolCalls")),
        images=_images(where, f"{path}.images", entry.get("images")),
        id=_text(where, f"{path}.id", entry.get("id")) or new_id(),
        origin=entry,
    )


def _images(where: str, path: str, value: object) -> tuple[str, ...]:
    entries = _list(where, path, value) if value is not None else []
    for i, entry in enumerate(entries):
        if not is_picture(entry):
            _refuse(where, f"{path}[{i}]", entry, "a data URL of a picture, in base64")
    return tuple(str(entry) for entry in entries)


def _calls(where: str, path: str, value: object) -> tuple[ToolCall, ...]:
    entries = _list(where, path, value) if value is not None else []
    return tuple(_call(where, f"{path}[{i}]", entry) for i, entry in enumerate(entries))


def _call(where: str, path: str, entry: object) -> ToolCall:
    if not isinstance(entry, dict):
        _refuse(where, path, entry, "an object with id, name and arguments")
    call_id, name, arguments = (
        _needed_text(where, f"{path}.{key}", entry.get(key)) for key in ("id", "name", "arguments")
    )
    result = entry.get("result")
    if result is not None and not isinstance(result, str):
        _refuse(where, f"{path}.result", result, "null or a string")
    return ToolCall(call_id, name, arguments, result, _figure(entry.get("totalMs")))


def _finish(where: str, path: str, value: object) -> Finish | None:
    known = {finish.value: finish for finish in Finish}
    if value is None:
        return None
    if not isinstance(value, str) or value not in known:
        _refuse(where, path, value, f"null or one of {', '.join(known)}")
    return known[value]


def _statistics(value: object) -> Statistics | None:
    """Figures; None if needed ones are missing, as in files of other programs: nothing depends on them."""
    if not isinstance(value, Mapping):
        return None
    figures = {field.name: _figure(value.get(_STATISTICS[field.name])) for field in fields(Statistics)}
    if figures["n_tokens"] is None or figures["total_ms"] is None:
        return None
    return Statistics(**figures)  # type: ignore[arg-type]


def _figure(value: object) -> int | float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _time(value: object, otherwise: int) -> int:
    return int(value) if isinstance(value, int | float) and 0 <= value < 2**53 else otherwise


def _text(where: str, path: str, value: object) -> str:
    return "" if value is None else _needed_text(where, path, value)


def _needed_text(where: str, path: str, value: object) -> str:
    if not isinstance(value, str):
        _refuse(where, path, value, "a string")
    return value


def _list(where: str, path: str, value: object) -> list[object]:
    if not isinstance(value, list):
        _refuse(where, path, value, "an array")
    return value


def _refuse(where: str, path: str, value: object, allowed: str) -> NoReturn:
    raise InvalidValue(f"{where}: {path} is {_shown(value)}; allowed is {allowed}")


def _shown(value: object) -> str:
    return excerpt(json.dumps(value), 57)
