"""The messages of a body as the turns of a conversation, and where each of them came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rest_adapter.apis.anthropic.messages.body import (
    AssistantTurn,
    Body,
    RedactedThinking,
    SystemTurn,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
    UserTurn,
)
from rest_adapter.apis.common.tool_choice import function_call
from rest_adapter.errors import InvalidRequest
from rest_adapter.json.encoding import encode_in_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from slotline.v1.prompt_pb2 import ChatPrompt

#: A coding agent begins its instructions with a line that is another one in every request. To the model it says
#: nothing, and a prompt that begins with it has no beginning in common with any earlier one.
_BILLING = "x-anthropic-billing-header:"
_ERROR = "Error"


@dataclass(slots=True)
class Turn:
    """A turn, and the paths in the body of what it was made of.

    Attributes:
        path: of the message, or of the block that the turn is.
        call_paths: of the blocks that its calls are.
    """

    role: str
    path: str
    texts: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: list[object] = field(default_factory=list)
    call_paths: list[str] = field(default_factory=list)
    answers: str | None = None

    def text(self) -> str:
        """What is said. Blocks of the assistant are parts of one text; others have lines of their own."""
        return "".join(self.texts) if self.role == "assistant" else _in_lines(self.texts)


def read_turns(chat: ChatPrompt, body: Body) -> Sequence[Turn]:
    """Read the fields ``system`` and ``messages``.

    Without any message the user says nothing, so that there is something to answer. A last turn of the assistant is
    continued, unless it is empty.

    Args:
        chat: gets the turns.
        body: has them.

    Returns:
        The turns, as many as the conversation has messages.

    Raises:
        InvalidRequest: the last turn cannot be continued.
    """
    turns = _system(body.system)
    for i, message in enumerate(body.messages):
        _take(turns, f"messages[{i}]", message)
    if turns and turns[-1].role == "assistant":
        _end_with_assistant(chat, turns)
    if all(turn.role == "system" for turn in turns):
        turns.append(Turn("user", "messages"))
    for turn in turns:
        _write(chat, turn)
    return turns


def _system(system: str | list[Text] | None) -> list[Turn]:
    blocks = [system] if isinstance(system, str) else [block.text for block in system or ()]
    texts = [text for block in blocks if (text := _without_billing(block))]
    return [Turn("system", "system", texts)] if texts else []


def _without_billing(text: str) -> str:
    return text.partition("\n")[2] if text.startswith(_BILLING) else text


def _take(turns: list[Turn], path: str, message: UserTurn | AssistantTurn | SystemTurn) -> None:
    match message:
        case SystemTurn():
            turns.append(Turn("system", path, _texts(message.content)))
        case UserTurn():
            _take_user(turns, path, message)
        case AssistantTurn():
            _take_assistant(_open(turns, "assistant", path), path, message)


def _take_user(turns: list[Turn], path: str, message: UserTurn) -> None:
    """What calls gave comes first, each a turn of its own, and then what the user says."""
    content = [Text(message.content)] if isinstance(message.content, str) else message.content
    for j, block in enumerate(content):
        if isinstance(block, ToolResult):
            result = Turn("tool", f"{path}.content[{j}]", [_result(block)], answers=block.tool_use_id)
            turns.append(result)
    texts = [block.text for block in content if isinstance(block, Text)]
    if texts or not content:
        _open(turns, "user", path).texts += texts


def _take_assistant(turn: Turn, path: str, message: AssistantTurn) -> None:
    content = [Text(message.content)] if isinstance(message.content, str) else message.content
    for j, block in enumerate(content):
        match block:
            case Text():
                turn.texts.append(block.text)
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


def _texts(content: str | list[Text]) -> list[str]:
    return [content] if isinstance(content, str) else [block.text for block in content]


def _result(block: ToolResult) -> str:
    text = _in_lines(_texts(block.content or ""))
    # Chat templates have no other place for it.
    is_told = text.startswith(_ERROR) or not block.is_error
    return text if is_told else f"{_ERROR}: {text}"


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
    if last.text():
        chat.continue_final_message = True
    elif last.reasoning:
        raise InvalidRequest(last.path, "has no text to continue; send some, or end with a message of the user")
    else:
        turns.pop()


def _write(chat: ChatPrompt, turn: Turn) -> None:
    message = chat.messages.add(role=turn.role)
    message.content.add(text=turn.text())
    if turn.reasoning:
        message.reasoning = "\n".join(turn.reasoning)
    if turn.calls:
        message.tool_calls_json = encode_in_order(turn.calls)
    if turn.answers is not None:
        message.tool_call_id = turn.answers
