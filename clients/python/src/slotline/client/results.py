"""What a generation gives."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from slotline.v1 import generation_pb2, tokens_pb2

if TYPE_CHECKING:
    from slotline.client.messages import Message

#: Why a continuation ended; see ``Continuation``.
FinishReason = Literal["stop", "length", "cancelled", "tool_calls", "unknown"]
_REASONS: dict[int, FinishReason] = {
    generation_pb2.FINISH_REASON_STOP: "stop",
    generation_pb2.FINISH_REASON_LENGTH: "length",
    generation_pb2.FINISH_REASON_CANCELLED: "cancelled",
    generation_pb2.FINISH_REASON_TOOL_CALLS: "tool_calls",
}


class IncompleteAnswer(ValueError):
    """An answer was cut, so that what should be read from it is not whole.

    Attributes:
        text: what there is of it.
    """

    def __init__(self, message: str, text: str) -> None:
        super().__init__(message)
        self.text = text


@dataclass(frozen=True)
class ToolCall:
    """A call that the model makes.

    Attributes:
        id: names the call in the turn that answers it.
        name: the tool.
        arguments: JSON text, as the model wrote it; not whole if the answer was cut in it.
    """

    id: str
    name: str
    arguments: str

    @property
    def parsed(self) -> dict[str, Any]:
        """The arguments as a dictionary.

        Raises:
            IncompleteAnswer: they are not a whole object.
        """
        try:
            arguments = json.loads(self.arguments)
        except ValueError:
            arguments = None
        if not isinstance(arguments, dict):
            raise IncompleteAnswer(f"the arguments of {self.name} are not a whole JSON object", self.arguments)
        return arguments


@dataclass(frozen=True)
class TextDelta:
    """More text of a continuation.

    Attributes:
        text: not empty.
        sequence: number of the continuation, from 0.
    """

    text: str
    sequence: int = 0


@dataclass(frozen=True)
class ReasoningDelta:
    """More of what the model thinks before it answers; attributes as of ``TextDelta``."""

    text: str
    sequence: int = 0


@dataclass(frozen=True)
class ToolCallDelta:
    """The beginning or more of a tool call.

    Attributes:
        call: number of the call in its continuation, from 0.
        id: only with the first delta of a call, else empty.
        name: as ``id``.
        arguments: more of the JSON text.
        sequence: number of the continuation, from 0.
    """

    call: int
    id: str
    name: str
    arguments: str
    sequence: int = 0


#: What a stream is made of; see ``Generation.deltas``.
Delta = TextDelta | ReasoningDelta | ToolCallDelta


@dataclass(frozen=True)
class Continuation:
    """One of the continuations of a prompt.

    Attributes:
        text: everything that was generated; if output was parsed, the content of the answer.
        finish_reason: ``stop`` for a stop text, a stop token or the model's end, ``tool_calls`` for the same behind
            tool calls, ``length`` for a limit, ``cancelled`` if the server had to end it.
        tokens: records of the generated tokens, if they were asked for.
        finished: its last message, with everything else.
        reasoning: what the model thought, if output was parsed.
        tool_calls: the calls that it makes, if output was parsed.
    """

    text: str
    finish_reason: FinishReason
    tokens: tuple[tokens_pb2.Token, ...]
    finished: generation_pb2.Finished
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()

    @property
    def message(self) -> Message:
        """This answer as a turn of a conversation, with which to go on."""
        turn: Message = {"role": "assistant", "content": self.text or (None if self.tool_calls else "")}
        if self.reasoning:
            turn["reasoning"] = self.reasoning
        if self.tool_calls:
            turn["tool_calls"] = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in self.tool_calls
            ]
        return turn


@dataclass(frozen=True, kw_only=True)
class Completion(Continuation):
    """A whole answer: the first continuation, and what belongs to all of them.

    Attributes:
        usage: token counts over all continuations.
        accepted: the first message.
        continuations: all continuations, this one included; more than one if ``num_sequences`` asked for them.
        prompt: records of the prompt's tokens, if they were asked for.
    """

    usage: tokens_pb2.Usage
    accepted: generation_pb2.Accepted
    continuations: tuple[Continuation, ...]
    prompt: tuple[tokens_pb2.Token, ...] = ()


@dataclass
class _Call:
    """What has been seen of a tool call so far."""

    id: str
    name: str
    arguments: list[str] = field(default_factory=list)


@dataclass
class _Sequence:
    """What has been seen of one continuation so far."""

    texts: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: dict[int, _Call] = field(default_factory=dict)
    tokens: list[tokens_pb2.Token] = field(default_factory=list)
    finished: generation_pb2.Finished | None = None

    def add(self, delta: generation_pb2.Delta) -> list[Delta]:
        """Take what is new and return it: neighbouring pieces of one kind as one."""
        made: list[Delta] = []
        for piece in delta.pieces:
            self.tokens.extend(piece.tokens)
            if not piece.text:
                continue
            is_reasoning = piece.channel == generation_pb2.CHANNEL_REASONING
            (self.reasoning if is_reasoning else self.texts).append(piece.text)
            kind = ReasoningDelta if is_reasoning else TextDelta
            if made and isinstance(made[-1], kind):
                made[-1] = kind(made[-1].text + piece.text, delta.index)
            else:
                made.append(kind(piece.text, delta.index))
        for one in delta.tool_deltas:
            call = self.calls.setdefault(one.call, _Call(one.id, one.name))
            call.arguments.append(one.arguments)
            made.append(ToolCallDelta(one.call, one.id, one.name, one.arguments, delta.index))
        return made

    def continuation(self) -> Continuation:
        """The whole of it."""
        assert self.finished is not None, "usage comes with the last ending"
        calls = (self.calls[number] for number in sorted(self.calls))
        return Continuation(
            text="".join(self.texts),
            finish_reason=_REASONS.get(self.finished.reason, "unknown"),
            tokens=tuple(self.tokens),
            finished=self.finished,
            reasoning="".join(self.reasoning),
            tool_calls=tuple(ToolCall(call.id, call.name, "".join(call.arguments)) for call in calls),
        )


@dataclass
class StreamState:
    """What has been seen of a stream so far."""

    accepted: generation_pb2.Accepted | None = None
    usage: tokens_pb2.Usage | None = None
    sequences: dict[int, _Sequence] = field(default_factory=dict)
    prompt: list[tokens_pb2.Token] = field(default_factory=list)

    def add(self, message: generation_pb2.GenerateResponse) -> list[Delta]:
        """Take a message and return what is new in it."""
        match message.WhichOneof("event"):
            case "accepted":
                self.accepted = message.accepted
            case "prompt":
                self.prompt.extend(message.prompt.tokens)
            case "delta":
                return self._sequence(message.delta.index).add(message.delta)
            case "finished":
                self._sequence(message.finished.index).finished = message.finished
                if message.finished.HasField("usage"):
                    self.usage = message.finished.usage
        return []

    def add_text(self, message: generation_pb2.GenerateResponse) -> str:
        """Take a message and return what is new of the text of the first continuation."""
        deltas = self.add(message)
        return "".join(one.text for one in deltas if isinstance(one, TextDelta) and one.sequence == 0)

    def completion(self) -> Completion:
        """The whole answer.

        Raises:
            RuntimeError: the stream has not come to its end.
        """
        if self.accepted is None or self.usage is None:
            raise RuntimeError("the answer is not complete: iterate to the end first")
        continuations = tuple(self.sequences[index].continuation() for index in sorted(self.sequences))
        first = continuations[0]
        return Completion(
            text=first.text,
            finish_reason=first.finish_reason,
            tokens=first.tokens,
            finished=first.finished,
            reasoning=first.reasoning,
            tool_calls=first.tool_calls,
            usage=self.usage,
            accepted=self.accepted,
            continuations=continuations,
            prompt=tuple(self.prompt),
        )

    def _sequence(self, index: int) -> _Sequence:
        return self.sequences.setdefault(index, _Sequence())
