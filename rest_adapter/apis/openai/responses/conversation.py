"""From the input of a body to the turns of a conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_adapter.apis.common.fields import read_str, refusal
from rest_adapter.apis.common.pictures import Pictures, read_image_url
from rest_adapter.apis.common.structs import read_struct
from rest_adapter.apis.common.tool_choice import function_call
from rest_adapter.apis.openai.responses.input_items import (
    IMAGE_PARTS,
    ITEMS,
    TEXT_PARTS,
    CustomToolCall,
    CustomToolCallOutput,
    FunctionCall,
    FunctionCallOutput,
    Item,
    Message,
    Reasoning,
)
from rest_adapter.errors import UNSUPPORTED, InvalidRequest
from rest_adapter.json.encoding import encode_in_order, show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from slotline.v1.prompt_pb2 import ChatMessage, ChatPrompt

#: The argument in which a custom tool that is offered as a function has its input.
CUSTOM_INPUT = "input"
_WORDS_FOR_PARTS = ", ".join((*TEXT_PARTS, *IMAGE_PARTS))


def read_conversation(
    chat: ChatPrompt, instructions: str | None, value: str | Sequence[dict[str, Any]] | None
) -> Turns:
    """Read the fields ``instructions`` and ``input``.

    Neighbouring items of the assistant are one turn: what it thought, what it said and what it called. Without any
    input the user says nothing, so that there is something to answer.

    Args:
        chat: gets the turns.
        instructions: what the system says first.
        value: the input.

    Returns:
        Where each turn came from.

    Raises:
        InvalidRequest: an item is malformed, or is of a type that is not supported.
    """
    turns = Turns(chat)
    if instructions:
        turns.say("system", instructions, "instructions")
    if isinstance(value, str):
        turns.say("user", value, "input")
    elif not value:
        turns.say("user", "", "input")
    else:
        for i, item in enumerate(value):
            path = f"input[{i}]"
            _take(turns, _read_item(path, item), path)
    turns.finish()
    return turns


class Turns:
    """The turns of a conversation, and the paths of what they were made of.

    Attributes:
        paths: for each turn the path in the body by the field of the message, and "" for any other.
        calls: for each turn the paths of the items that its calls come from.
        pictures: those of all turns.
    """

    def __init__(self, chat: ChatPrompt) -> None:
        self._chat = chat
        self._json: dict[int, list[object]] = {}
        self.paths: list[dict[str, str]] = []
        self.calls: list[list[str]] = []
        self.pictures = Pictures()

    def say(self, role: str, text: str, path: str) -> None:
        """Add a message that is no item."""
        turn = self.begin(role, path)
        turn.content.add(text=text)

    def begin(self, role: str, path: str) -> ChatMessage:
        """Begin a turn with an item."""
        self.paths.append({"": path})
        self.calls.append([])
        return self._chat.messages.add(role=role)

    def assistant(self, path: str) -> ChatMessage:
        """The turn of the assistant that an item goes on with, or begins."""
        messages = self._chat.messages
        return messages[-1] if messages and messages[-1].role == "assistant" else self.begin("assistant", path)

    def call(self, call_id: str, name: str, arguments: str, path: str) -> None:
        """Add a call to the turn of the assistant."""
        self.assistant(path)
        self.calls[-1].append(path)
        self._json.setdefault(len(self.calls) - 1, []).append(function_call(call_id, name, arguments))

    def add_content(self, value: str | list[dict[str, Any]], path: str) -> None:
        """Add a text, or parts, to the last turn.

        Raises:
            InvalidRequest: a part is malformed, or is of a type that is not supported.
        """
        turn = self._chat.messages[-1]
        if isinstance(value, str):
            turn.content.add(text=value)
            return
        for i, part in enumerate(value):
            place = f"chat.messages[{len(self._chat.messages) - 1}].content[{len(turn.content)}]"
            _add_part(turn, place, part, f"{path}[{i}]", self.pictures)

    def finish(self) -> None:
        """Write the calls into their turns."""
        for turn, calls in self._json.items():
            self._chat.messages[turn].tool_calls_json = encode_in_order(calls)


def _read_item(path: str, item: dict[str, Any]) -> Item:
    kind = item.get("type")
    if kind is None:
        kind = "message"
    if kind == "item_reference":
        problem = '"item_reference" is not supported, because the server keeps nothing; send the item itself'
        raise InvalidRequest(f"{path}.type", problem, UNSUPPORTED)
    if not isinstance(kind, str) or kind not in ITEMS:
        raise refusal(f"{path}.type", kind, " or ".join(f'"{name}"' for name in ITEMS))
    return read_struct(item, ITEMS[kind], path)


def _take(turns: Turns, item: Item, path: str) -> None:
    match item:
        case Message():
            _take_message(turns, item, path)
        case FunctionCall():
            turns.call(item.call_id, item.name, item.arguments, path)
        case CustomToolCall():
            turns.call(item.call_id, item.name, encode_in_order({CUSTOM_INPUT: item.input}), path)
        case FunctionCallOutput() | CustomToolCallOutput():
            turn = turns.begin("tool", path)
            turn.tool_call_id = item.call_id
            turns.add_content(item.output, f"{path}.output")
            turns.paths[-1] |= {"content": f"{path}.output", "tool_call_id": f"{path}.call_id"}
        case Reasoning():
            texts = [part.text for part in item.content or item.summary or ()]
            if text := "".join(texts):
                turn = turns.assistant(path)
                turn.reasoning = f"{turn.reasoning}\n{text}" if turn.reasoning else text
                turns.paths[-1]["reasoning"] = path


def _take_message(turns: Turns, item: Message, path: str) -> None:
    if item.role != "assistant":
        turn = turns.begin(item.role, path)
    else:
        turn = turns.assistant(path)
        # What was said in several messages stays apart.
        if turn.content:
            turn.content.add(text="\n")
    turns.paths[-1]["content"] = f"{path}.content"
    turns.add_content(item.content, f"{path}.content")


def _add_part(turn: ChatMessage, place: str, part: dict[str, Any], path: str, pictures: Pictures) -> None:
    """Add the text or the picture of a part."""
    kind = part.get("type")
    if kind in IMAGE_PARTS:
        if part.get("file_id") is not None:
            problem = "is not supported, because the server keeps no files; send image_url"
            raise InvalidRequest(f"{path}.file_id", problem, UNSUPPORTED)
        read_image_url(pictures, turn.content.add(), place, path, part)
        return
    if not isinstance(kind, str) or kind not in TEXT_PARTS:
        problem = f"{show(kind)} is not supported; allowed are parts of the types {_WORDS_FOR_PARTS}"
        raise InvalidRequest(f"{path}.type", problem, UNSUPPORTED)
    key = TEXT_PARTS[kind]
    turn.content.add(text=read_str(f"{path}.{key}", part.get(key)))
