"""The engine's events to the messages of a ``Generate`` stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from google.protobuf import duration_pb2

from service.api.convert.settings import generation_settings
from service.api.served_model import ServedModel
from service.engine.types import (
    Accepted,
    Event,
    Failed,
    Finished,
    FinishReason,
    GenerationRequest,
    Piece,
    Timings,
    TokenRecord,
)
from slotline.v1 import generation_pb2, tokens_pb2

#: Pieces plus reported candidates of one Delta; keeps messages far below the 4 MB that clients accept by default.
MAX_DELTA_ENTRIES = 8192

_REASONS = {
    FinishReason.STOP: generation_pb2.FINISH_REASON_STOP,
    FinishReason.LENGTH: generation_pb2.FINISH_REASON_LENGTH,
    FinishReason.CANCELLED: generation_pb2.FINISH_REASON_CANCELLED,
}


@dataclass(frozen=True, slots=True)
class StreamEncoder:
    """Encodes the events of one request.

    Attributes:
        request: what the engine was asked for.
        model: the model that answers.
        request_id: echoed in Accepted.
        instance_id: of this run of the server.
        task_id: number of the task.
    """

    request: GenerationRequest
    model: ServedModel
    request_id: str
    instance_id: str
    task_id: int

    def encode(self, events: Iterable[Event]) -> Iterator[generation_pb2.GenerateResponse]:
        """The messages for a batch of events; consecutive pieces share a Delta.

        Raises:
            ServiceError: the request failed; after the messages for everything before that.
        """
        delta = generation_pb2.Delta()
        n_entries = 0
        for event in events:
            if isinstance(event, Piece):
                delta.pieces.append(self._piece(event))
                n_entries += 1 + sum(len(token.probabilities) + len(token.top_logprobs) for token in event.tokens)
                if n_entries < MAX_DELTA_ENTRIES:
                    continue
            if delta.pieces:
                yield generation_pb2.GenerateResponse(delta=delta)
                delta, n_entries = generation_pb2.Delta(), 0
            if isinstance(event, Accepted):
                yield generation_pb2.GenerateResponse(accepted=self._accepted(event))
            elif isinstance(event, Finished):
                yield generation_pb2.GenerateResponse(finished=self._finished(event))
            elif isinstance(event, Failed):
                raise event.error
        if delta.pieces:
            yield generation_pb2.GenerateResponse(delta=delta)

    def _accepted(self, event: Accepted) -> generation_pb2.Accepted:
        return generation_pb2.Accepted(
            request_id=self.request_id,
            model=self.model.name,
            instance_id=self.instance_id,
            task_id=self.task_id,
            slot_id=event.slot_id,
            prompt_tokens=event.prompt_tokens,
            cached_prompt_tokens=event.cached_prompt_tokens,
            queued=duration(event.queued_s),
            truncated=event.truncated,
        )

    def _piece(self, event: Piece) -> generation_pb2.Piece:
        return generation_pb2.Piece(text=event.text, tokens=[self._token(record) for record in event.tokens])

    def _token(self, record: TokenRecord) -> tokens_pb2.Token:
        piece = self.model.vocabulary.piece
        return tokens_pb2.Token(
            id=record.id,
            piece=record.piece,
            logprob=record.logprob,
            top_logprobs=[
                tokens_pb2.TokenLogprob(id=token, piece=piece(token), logprob=logprob)
                for token, logprob in record.top_logprobs
            ],
            probabilities=[
                tokens_pb2.TokenProbability(id=token, piece=piece(token), probability=probability)
                for token, probability in record.probabilities
            ],
        )

    def _finished(self, event: Finished) -> generation_pb2.Finished:
        finished = generation_pb2.Finished(
            reason=_REASONS[event.reason],
            usage=tokens_pb2.Usage(
                prompt_tokens=event.tokens_evaluated,
                completion_tokens=event.tokens_predicted,
                cached_prompt_tokens=event.cached_prompt_tokens,
            ),
            timings=_timings(event.timings),
            truncated=event.truncated,
            tokens_evaluated=event.tokens_evaluated,
            tokens_predicted=event.tokens_predicted,
            tokens_cached=event.tokens_cached,
            settings=generation_settings(
                self.request, self.model, seed=event.seed, n_keep=event.n_keep, max_tokens=event.max_tokens
            ),
            slot_id=event.slot_id,
        )
        if event.stop_text is not None:
            finished.stop_text = event.stop_text.decode()
        elif event.stop_token is not None:
            finished.stop_token_id = event.stop_token
        elif event.eos_token is not None:
            finished.eos_token_id = event.eos_token
        return finished


def duration(seconds: float) -> duration_pb2.Duration:
    """Seconds as a Duration."""
    message = duration_pb2.Duration()
    message.FromNanoseconds(round(seconds * 1e9))
    return message


def _timings(timings: Timings) -> generation_pb2.Timings:
    return generation_pb2.Timings(
        prompt_tokens=timings.prompt_tokens,
        prompt_eval=duration(timings.prompt_s),
        decoded_tokens=timings.decoded_tokens,
        decode=duration(timings.decode_s),
    )
