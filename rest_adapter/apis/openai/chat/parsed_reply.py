"""POST /v1/chat/completions where the core has told reasoning, content and tool calls apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rest_adapter.apis.common.timings import with_times
from rest_adapter.apis.common.tool_choice import function_call
from rest_adapter.apis.openai.chat.reply import ChatReply
from slotline.v1.generation_pb2 import CHANNEL_REASONING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rest_adapter.apis.openai.chat.reply import ChatChoice
    from rest_adapter.apis.openai.chat.request import ChatCall
    from rest_adapter.json.encoding import JsonObject
    from slotline.v1.generation_pb2 import Delta, GenerateResponse, ToolDelta


class ParsedChatReply(ChatReply):
    """Translates the core's messages for one body; the arguments are those of ``ChatReply``.

    Log-probabilities and probabilities are those of tokens of the content.
    """

    def __init__(self, call: ChatCall, *, completion_id: str, created: int) -> None:
        super().__init__(call, completion_id=completion_id, created=created)
        self._shows_reasoning = call.reasoning.is_shown
        self._is_stream = call.is_stream
        self._parts = [_Parts() for _ in range(call.n_choices)]

    def feed(self, number: int, response: GenerateResponse) -> Iterator[JsonObject]:
        """As of ``ChatReply``."""
        if response.WhichOneof("event") == "delta":
            return self._take_delta(response.delta)
        return super().feed(number, response)

    def _first_delta(self) -> JsonObject:
        # There may never be any content.
        return super()._first_delta() | {"content": None}

    def _take_delta(self, delta: Delta) -> Iterator[JsonObject]:
        choice = self._choices[delta.index]
        for piece in delta.pieces:
            if piece.channel != CHANNEL_REASONING:
                yield from self._take(choice, (piece,))
            elif piece.text and self._shows_reasoning:
                if self._is_stream:
                    yield with_times(self._chunk(choice, {"reasoning_content": piece.text}), piece)
                else:
                    self._parts[choice.index].reasoning.append(piece.text)
        for part in delta.tool_deltas:
            if self._is_stream:
                for call in _call_deltas(part):
                    yield with_times(self._chunk(choice, {"tool_calls": [call]}), part)
            else:
                self._parts[choice.index].take(part)

    def _message(self, choice: ChatChoice) -> JsonObject:
        entry, parts = super()._message(choice), self._parts[choice.index]
        message = entry["message"]
        if parts.reasoning:
            message["reasoning_content"] = "".join(parts.reasoning)
        if parts.calls:
            message["content"] = message["content"] or None
            message["tool_calls"] = [call.json() for call in parts.calls]
        return entry


@dataclass(slots=True)
class _Call:
    """A tool call of an answer that is not streamed."""

    id: str
    name: str
    arguments: list[str] = field(default_factory=list)

    def json(self) -> JsonObject:
        return function_call(self.id, self.name, "".join(self.arguments))


@dataclass(slots=True)
class _Parts:
    """What one of the answers that are not streamed has beside its content."""

    reasoning: list[str] = field(default_factory=list)
    calls: list[_Call] = field(default_factory=list)

    def take(self, delta: ToolDelta) -> None:
        """Take the beginning or more of a call."""
        if delta.id:
            self.calls.append(_Call(delta.id, delta.name))
        self.calls[-1].arguments.append(delta.arguments)


def _call_deltas(delta: ToolDelta) -> Iterator[JsonObject]:
    """The parts of a call as chunks have them: first id and name, without arguments; then nothing but arguments."""
    if delta.id:
        yield {"index": delta.call} | function_call(delta.id, delta.name, "")
    if delta.arguments:
        yield {"index": delta.call, "function": {"arguments": delta.arguments}}
