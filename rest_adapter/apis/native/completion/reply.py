"""POST /completion and POST /infill: the core's messages as JSON objects, in either shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from rest_adapter.apis.native.completion.outcome import Outcome
from rest_adapter.apis.native.completion.response_fields import picked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rest_adapter.apis.native.completion.request import CompletionCall
    from rest_adapter.json.encoding import JsonObject
    from slotline.v1.generation_pb2 import GenerateResponse, Piece, PromptProgress


class CompletionShape(Protocol):
    """What the objects of an answer look like."""

    def progress(self, outcome: Outcome, progress: PromptProgress) -> JsonObject:
        """The event that tells how far the prompt is."""

    def piece(self, outcome: Outcome, piece: Piece) -> JsonObject:
        """The event for a piece of text. The outcome has not kept it."""

    def keep(self, outcome: Outcome, piece: Piece) -> None:
        """Keep a piece for the answer as a whole."""

    def final(self, outcome: Outcome) -> JsonObject:
        """An answer that is over; the last event of a stream, or all of it."""

    def several(self, answers: Sequence[JsonObject]) -> object:
        """All answers of a body with several."""


class CompletionReply:
    """Translates the core's messages for one body.

    Args:
        call: the body.
        shape: of its answers.
    """

    def __init__(self, call: CompletionCall, shape: CompletionShape) -> None:
        self._call = call
        self._shape = shape
        # Answers are numbered prompt by prompt.
        self._outcomes = [
            [Outcome(number * call.n_answers + index, prompt.echo) for index in range(call.n_answers)]
            for number, prompt in enumerate(call.prompts)
        ]

    def feed(self, number: int, response: GenerateResponse) -> Iterator[JsonObject]:
        """Take a message of call ``number`` and yield the stream events it makes.

        Raises:
            RpcFailure: the server cut the sequence short.
        """
        outcomes = self._outcomes[number]
        match response.WhichOneof("event"):
            case "accepted":
                for outcome in outcomes:
                    outcome.accepted = response.accepted
            case "progress":
                yield self._shape.progress(outcomes[0], response.progress)
            case "delta":
                outcome = outcomes[response.delta.index]
                for piece in response.delta.pieces:
                    outcome.n_tokens += len(piece.tokens)
                    if self._call.is_stream:
                        yield self._shape.piece(outcome, piece)
                    else:
                        self._shape.keep(outcome, piece)
            case "finished":
                outcome = outcomes[response.finished.index]
                outcome.finish(response.finished)
                if self._call.is_stream:
                    yield self._final(outcome)

    def closing_events(self) -> Iterator[JsonObject]:
        """The events after the last message: none, because the final objects have been sent."""
        yield from ()

    def result(self) -> object:
        """The answer without a stream, after the last message."""
        answers = [self._final(outcome) for outcomes in self._outcomes for outcome in outcomes]
        return self._shape.several(answers) if self._call.is_multiple else answers[0]

    def _final(self, outcome: Outcome) -> JsonObject:
        return picked(self._shape.final(outcome), self._call.response_fields)
