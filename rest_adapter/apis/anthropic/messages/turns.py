"""The messages of a body as the turns of a conversation, and where each of them came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from rest_adapter.apis.anthropic.messages.body import (
    AssistantTurn,
    Base64Source,
    Body,
    Picture,
    RedactedThinking,
    SystemTurn,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
    UserTurn,
)
from rest_adapter.apis.common.base64_text import read_base64
from rest_adapter.apis.common.pictures import Pictures
from rest_adapter.apis.common.tool_choice import function_call
from rest_adapter.errors import InvalidRequest
from rest_adapter.json.encoding import encode_in_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from slotline.v1.prompt_pb2 import ChatPrompt, PromptPart

#: A coding agent begins its instructions with a line that is another one in every request. To the model it says
#: nothing, and a prompt that begins with it has no beginning in common with any earlier one.
_BILLING = "x-anthropic-billing-header:"
_ERROR = "Error"


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture of a turn, and the path of its block."""

    picture: Picture
    path: str

    def put(self, part: PromptPart, place: str, pictures: Pictures) -> None:
        """Make a part of the request of it, which is at ``place`` there."""
        source, path = self.picture.source, f"{self.path}.source"
        if isinstance(source, Base64Source):
            path = f"{path}.data"
            pictures.add_bytes(part, place, path, read_base64(path, source.data))
        else:
            pictures.add_url(part, place, f"{path}.url", source.url)


@dataclass(slots=True)
class Turn:
    """A turn, and the paths in the body of what it was made of.

    Attributes:
        path: of the message, or of the block that the turn is.
        content: texts and pictures in order.
        call_paths: of the blocks that its calls are.
    """

    role: str
    path: str
    content: list[str | Shown] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: list[object] = field(default_factory=list)
    call_paths: list[str] = field(default_factory=list)
    answers: str | None = None

    def parts(self) -> Iterator[str | Shown]:
        """What is said, with neighbouring texts as one: those of the assistant belong together, others have lines."""
        join = "".join if self.role == "assistant" else _in_lines
        for is_text, run in groupby(self.content, key=lambda block: isinstance(block, str)):
            if is_text:
                yield join(str(text) for text in run)
            else:
                yield from run


def read_turns(chat: ChatPrompt, body: Body) -> tuple[Sequence[Turn], Pictures]:
    """Read the fields ``system`` and ``messages``.

    Without any message the user says nothing, so that there is something to answer. A last turn of the assistant is
    continued, unless it is empty.

    Args:
        chat: gets the turns.
        body: has them.

    Returns:
        The turns, as many as the conversation has messages, and their pictures.

    Raises:
        InvalidRequest: the last turn cannot be continued, or a picture is none.
    """
    turns = _system(body.system)
    for i, message in enumerate(body.messages):
        _take(turns, f"messages[{i}]", message)
    if turns and turns[-1].role == "assistant":
        _end_with_assistant(chat, turns)
    if all(turn.role == "system" for turn in turns):
        turns.append(Turn("user", "messages"))
    pictures = Pictures()
    for turn in turns:
        _write(chat, turn, pictures)
    return turns, pictures


def _system(system: str | list[Text] | None) -> list[Turn]:
    blocks = [system] if isinstance(system, str) else [block.text for block in system or ()]
    texts: list[str | Shown] = [text for block in blocks if (text := _without_billing(block))]
    return [Turn("system", "system", texts)] if texts else []


def _without_billing(text: str) -> str:
    return text.partition("\n")[2] if text.startswith(_BILLING) else text


def _take(turns: list[Turn], path: str, message: UserTurn | AssistantTurn | SystemTurn) -> None:
    match message:
        case SystemTurn():
            turns.append(Turn("system", path, _shown(path, message.content)))
        case UserTurn():
            _take_user(turns, path, message)
        case AssistantTurn():
            _take_assistant(_open(turns, "assistant", path), path, message)


def _take_user(turns: list[Turn], path: str, message: UserTurn) -> None:
    """What calls gave comes first, each a turn of its own, and then what the user says."""
    content = [Text(message.content)] if isinstance(message.content, str) else message.content
    for j, block in enumerate(content):
        if isinstance(block, ToolResult):
            place = f"{path}.content[{j}]"
            turns.append(Turn("tool", place, _result(block, place), answers=block.tool_use_id))
    said = [(j, block) for j, block in enumerate(content) if not isinstance(block, ToolResult)]
    if said or not content:
        _open(turns, "user", path).content += [_block(f"{path}.content[{j}]", block) for j, block in said]


def _take_assistant(turn: Turn, path: str, message: AssistantTurn) -> None:
    content = [Text(message.content)] if isinstance(message.content, str) else message.content
    for j, block in enumerate(content):
        match block:
            case Text():
                turn.content.append(block.text)
            case Thinking() if block.thinking:
                turn.reasoning.append(block.thinking)
            case ToolUse():
                turn.calls.append(function_call(block.id, block.name, block.input))
                turn.call_paths.append(f"{path}.content[{j}]")
            case Thinking() | RedactedThinking():
                pass


def _open(turns: list[Turn], role: str, path: str) -> Turn:
    """The turn that a message of a role goes on with, or begins."""
    if not turns or turns[-1].role != role:
        turns.append(Turn(role, path))
    return turns[-1]


def _shown(path: str, content: str | Sequence[Text | Picture]) -> list[str | Shown]:
    """The texts and pictures of a content whose message or block is at ``path``."""
    if isinstance(content, str):
        return [content]
    return [_block(f"{path}.content[{j}]", block) for j, block in enumerate(content)]


def _block(path: str, block: Text | Picture) -> str | Shown:
    return block.text if isinstance(block, Text) else Shown(block, path)


def _result(block: ToolResult, path: str) -> list[str | Shown]:
    content = _shown(path, block.content or "")
    first = content[0] if content else ""
    # Chat templates have no other place for it.
    if not block.is_error or (isinstance(first, str) and first.startswith(_ERROR)):
        return content
    return [f"{_ERROR}: {first}", *content[1:]] if isinstance(first, str) else [f"{_ERROR}: ", *content]


def _in_lines(texts: Iterable[str]) -> str:
    """Texts behind each other, each on a line of its own."""
    joined = ""
    for text in texts:
        is_apart = not joined or not text or joined.endswith("\n") or text.startswith("\n")
        joined += text if is_apart else f"\n{text}"
    return joined


def _end_with_assistant(chat: ChatPrompt, turns: list[Turn]) -> None:
    last = turns[-1]
    if last.calls:
        problem = "is called, and nothing says what it gave; send a tool_result in a message of the user behind it"
        raise InvalidRequest(last.call_paths[-1], problem)
    if "".join(part for part in last.content if isinstance(part, str)):
        chat.continue_final_message = True
    elif last.reasoning:
        raise InvalidRequest(last.path, "has no text to continue; send some, or end with a message of the user")
    else:
        turns.pop()


def _write(chat: ChatPrompt, turn: Turn, pictures: Pictures) -> None:
    place = f"chat.messages[{len(chat.messages)}].content"
    message = chat.messages.add(role=turn.role)
    for i, piece in enumerate(turn.parts()):
        part = message.content.add()
        if isinstance(piece, str):
            part.text = piece
        else:
            piece.put(part, f"{place}[{i}]", pictures)
    if not message.content:
        message.content.add(text="")
    if turn.reasoning:
        message.reasoning = "\n".join(turn.reasoning)
    if turn.calls:
        message.tool_calls_json = encode_in_order(turn.calls)
    if turn.answers is not None:
        message.tool_call_id = turn.answers
