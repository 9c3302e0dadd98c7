"""What a generation gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from slotline.v1 import generation_pb2, tokens_pb2

_REASONS: dict[int, Literal["stop", "length", "cancelled"]] = {
    generation_pb2.FINISH_REASON_STOP: "stop",
    generation_pb2.FINISH_REASON_LENGTH: "length",
    generation_pb2.FINISH_REASON_CANCELLED: "cancelled",
}


@dataclass(frozen=True)
class Continuation:
    """One of the continuations of a prompt.

    Attributes:
        text: everything that was generated.
        finish_reason: ``stop`` for a stop text, a stop token or the model's end, ``length`` for a limit, ``cancelled``
            if the server had to end it.
        tokens: records of the generated tokens, if they were asked for.
        finished: its last message, with everything else.
    """

    text: str
    finish_reason: Literal["stop", "length", "cancelled"]
    tokens: tuple[tokens_pb2.Token, ...]
    finished: generation_pb2.Finished


@dataclass(frozen=True)
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
class _Sequence:
    """What has been seen of one continuation so far."""

    texts: list[str] = field(default_factory=list)
    tokens: list[tokens_pb2.Token] = field(default_factory=list)
    finished: generation_pb2.Finished | None = None

    def continuation(self) -> Continuation:
        """The whole of it."""
        assert self.finished is not None, "usage comes with the last ending"
        return Continuation("".join(self.texts), _REASONS[self.finished.reason], tuple(self.tokens), self.finished)


@dataclass
class StreamState:
    """What has been seen of a stream so far."""

    accepted: generation_pb2.Accepted | None = None
    usage: tokens_pb2.Usage | None = None
    sequences: dict[int, _Sequence] = field(default_factory=dict)
    prompt: list[tokens_pb2.Token] = field(default_factory=list)

    def add(self, message: generation_pb2.GenerateResponse) -> str:
        """Take a message and return its text, if it is that of the first continuation."""
        match message.WhichOneof("event"):
            case "accepted":
                self.accepted = message.accepted
            case "prompt":
                self.prompt.extend(message.prompt.tokens)
            case "delta":
                text = "".join(piece.text for piece in message.delta.pieces)
                sequence = self._sequence(message.delta.index)
                sequence.texts.append(text)
                for piece in message.delta.pieces:
                    sequence.tokens.extend(piece.tokens)
                return text if message.delta.index == 0 else ""
            case "finished":
                self._sequence(message.finished.index).finished = message.finished
                if message.finished.HasField("usage"):
                    self.usage = message.finished.usage
        return ""

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
            usage=self.usage,
            accepted=self.accepted,
            continuations=continuations,
            prompt=tuple(self.prompt),
        )

    def _sequence(self, index: int) -> _Sequence:
        return self.sequences.setdefault(index, _Sequence())
