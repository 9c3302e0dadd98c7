"""GET /slots: what every slot does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.settings import generation_settings
from slotline.v1.model_pb2 import SLOT_STATE_IDLE, Slot

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rest_adapter.json.encoding import JsonObject
    from slotline.v1.prompt_pb2 import ChatMessage, ChatPrompt, Image, PromptParts

_NO_SEED_YET = 2**32 - 1


def slots_json(slots: Iterable[Slot], *, model: str, shows_progress: bool = False) -> list[JsonObject]:
    """The array of GET /slots.

    Args:
        slots: in order of their ids.
        model: name of the model.
        shows_progress: whether to count the tokens of the prompts.
    """
    return [_slot(slot, model) | (_progress(slot) if shows_progress else {}) for slot in slots]


def is_idle(slot: Slot) -> bool:
    """Whether a slot has no request."""
    return slot.state == SLOT_STATE_IDLE


def _slot(slot: Slot, model: str) -> JsonObject:
    # The core does not know whether the client asked for a stream: it always streams to the adapter.
    shown = generation_settings(slot.settings, model=model, is_stream=True)
    has_task = slot.HasField("task_id")
    if not has_task:
        shown["seed"] = _NO_SEED_YET
    return shown | {
        "id": slot.id,
        "next_token": {
            # A slot without a task yet has all its tokens left.
            "has_next_token": slot.has_next_token or not has_task,
            "n_remain": slot.tokens_remaining if slot.HasField("tokens_remaining") else -1,
            "num_tokens_predicted": slot.tokens_predicted,
            "stopped_eos": slot.stopped_eos,
            "stopped_limit": slot.stopped_limit,
            "stopped_word": slot.stopped_word,
            # The key is kept for clients. The stop texts of a request are not shown to others.
            "stopping_word": "",
        },
        "prompt": _prompt(slot),
        "state": 0 if is_idle(slot) else 1,
        "task_id": slot.task_id if has_task else -1,
    }


def _progress(slot: Slot) -> JsonObject:
    return {
        "n_cached_tokens": slot.cached_tokens,
        "n_prompt_tokens": slot.prompt_tokens,
        "n_prompt_tokens_processed": slot.prompt_tokens_done,
    }


def _prompt(slot: Slot) -> object:
    match slot.WhichOneof("prompt"):
        case "text":
            return slot.text
        case "token_ids":
            return list(slot.token_ids.ids)
        case "parts":
            return _parts(slot.parts)
        case "chat":
            return _messages(slot.chat)
        case "infill":
            return ""
        case _:
            return None


def _parts(parts: PromptParts) -> list[object]:
    shown: list[object] = []
    for part in parts.parts:
        match part.WhichOneof("part"):
            case "text":
                shown.append(part.text)
            case "image":
                shown.append(_picture(part.image))
            case _:
                shown.extend(part.token_ids.ids)
    return shown


def _messages(chat: ChatPrompt) -> list[JsonObject]:
    return [{"content": _content(message), "role": message.role} for message in chat.messages]


def _content(message: ChatMessage) -> object:
    """The text of a message; with pictures its parts in order."""
    if not any(part.HasField("image") for part in message.content):
        return "".join(part.text for part in message.content)
    return [
        _picture(part.image) if part.HasField("image") else {"text": part.text, "type": "text"}
        for part in message.content
    ]


def _picture(image: Image) -> JsonObject:
    """What there is to see of a picture: never its bytes."""
    return {"format": image.format, "sha256": image.sha256, "size_bytes": image.size_bytes, "type": "image"}
