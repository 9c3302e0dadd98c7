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
class Completion:
    """A whole answer.

    Attributes:
        text: everything that was generated.
        finish_reason: ``stop`` for a stop text, a stop token or the model's end, ``length`` for a limit, ``cancelled``
            if the server had to end it.
        usage: token counts.
        tokens: records of the generated tokens, if they were asked for.
        accepted, finished: the first and the last message, with everything else.
    """

    text: str
    finish_reason: Literal["stop", "length", "cancelled"]
    usage: tokens_pb2.Usage
    tokens: tuple[tokens_pb2.Token, ...]
    accepted: generation_pb2.Accepted
    finished: generation_pb2.Finished


@dataclass
class StreamState:
    """What has been seen of a stream so far."""

    texts: list[str] = field(default_factory=list)
    tokens: list[tokens_pb2.Token] = field(default_factory=list)
    accepted: generation_pb2.Accepted | None = None
    finished: generation_pb2.Finished | None = None

    def add(self, message: generation_pb2.GenerateResponse) -> str:
        """Take a message and return its text."""
        match message.WhichOneof("event"):
            case "accepted":
                self.accepted = message.accepted
            case "delta":
                text = "".join(piece.text for piece in message.delta.pieces)
                self.texts.append(text)
                for piece in message.delta.pieces:
                    self.tokens.extend(piece.tokens)
                return text
            case "finished":
                self.finished = message.finished
        return ""

    def completion(self) -> Completion:
        """The whole answer.

        Raises:
            RuntimeError: the stream has not come to its end.
        """
        if self.accepted is None or self.finished is None:
            raise RuntimeError("the answer is not complete: iterate to the end first")
        return Completion(
            text="".join(self.texts),
            finish_reason=_REASONS[self.finished.reason],
            usage=self.finished.usage,
            tokens=tuple(self.tokens),
            accepted=self.accepted,
            finished=self.finished,
        )
