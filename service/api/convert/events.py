"""The engine's events to the messages of a ``Generate`` stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from google.protobuf import duration_pb2

from service.api.convert.settings import generation_settings
from service.engine.request.events import (
    Accepted,
    Event,
    Failed,
    Finished,
    FinishReason,
    Piece,
    PromptTokens,
    Timings,
    TokenRecord,
)
from slotline.v1 import generation_pb2, tokens_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from service.api.served_model import ServedModel
    from service.engine.request.requests import GenerationRequest

#: Pieces and reported candidates of one Delta; keeps messages far below the 4 MB that clients accept by default.
MAX_DELTA_ENTRIES = 8192
#: With this many candidates per token, making a message takes so long that it must not hold up the event loop.
HEAVY_CANDIDATES = 1024

_REASONS = {
    FinishReason.STOP: generation_pb2.FINISH_REASON_STOP,
    FinishReason.LENGTH: generation_pb2.FINISH_REASON_LENGTH,
    FinishReason.CANCELLED: generation_pb2.FINISH_REASON_CANCELLED,
}


@dataclass(slots=True)
class StreamEncoder:
    """Encodes the events of one request, in their order.

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
    _usage: tokens_pb2.Usage = field(init=False, default_factory=lambda: tokens_pb2.Usage(cached_prompt_tokens=0))

    @property
    def is_heavy(self) -> bool:
        """Whether a single message may take milliseconds to make."""
        sampling = self.request.sampling
        return sampling.n_probs + (sampling.top_logprobs or 0) >= HEAVY_CANDIDATES

    def encode(self, events: Iterable[Event]) -> Iterator[generation_pb2.GenerateResponse]:
        """The messages for a batch of events; the pieces of one sequence share a Delta until anything else happens.

        Raises:
            ServiceError: the request failed; after the messages for everything before that.
        """
        deltas = _Deltas()
        for event in events:
            if isinstance(event, Piece):
                deltas.add(event.index, self._piece(event), 1 + _n_candidates(event))
                if deltas.n_entries < MAX_DELTA_ENTRIES:
                    continue
            yield from deltas.take()
            if isinstance(event, Accepted):
                yield generation_pb2.GenerateResponse(accepted=self._accepted(event))
            elif isinstance(event, PromptTokens):
                yield generation_pb2.GenerateResponse(prompt=self._prompt(event))
            elif isinstance(event, Finished):
                yield generation_pb2.GenerateResponse(finished=self._finished(event))
            elif isinstance(event, Failed):
                raise event.error
        yield from deltas.take()

    def _accepted(self, event: Accepted) -> generation_pb2.Accepted:
        self._usage.prompt_tokens = event.prompt_tokens
        self._usage.cached_prompt_tokens = event.cached_prompt_tokens
        self._usage.truncated_prompt_tokens = event.truncated_prompt_tokens
        return generation_pb2.Accepted(
            request_id=self.request_id,
            model=self.model.name,
            instance_id=self.instance_id,
            task_id=self.task_id,
            slot_id=event.slot_id,
            prompt_tokens=event.prompt_tokens,
            cached_prompt_tokens=event.cached_prompt_tokens,
            queued=duration(event.queued_s),
            truncated=event.truncated_prompt_tokens > 0,
            truncated_prompt_tokens=event.truncated_prompt_tokens,
        )

    def _piece(self, event: Piece) -> generation_pb2.Piece:
        return generation_pb2.Piece(text=event.text, tokens=[self._token(record) for record in event.tokens])

    def _prompt(self, event: PromptTokens) -> generation_pb2.PromptTokens:
        return generation_pb2.PromptTokens(tokens=[self._token(record, names=True) for record in event.tokens])

    def _token(self, record: TokenRecord, *, names: bool = False) -> tokens_pb2.Token:
        """A record; ``names`` gives control tokens their names as bytes."""
        token_bytes = partial(self.model.vocabulary.token_bytes, special=names)
        return tokens_pb2.Token(
            id=record.id,
            piece=token_bytes(record.id) if names else record.token_bytes,
            logprob=record.logprob,
            rank=record.rank,
            top_logprobs=[
                tokens_pb2.TokenLogprob(id=token, piece=token_bytes(token), logprob=logprob)
                for token, logprob in record.top_logprobs
            ],
            probabilities=[
                tokens_pb2.TokenProbability(id=token, piece=token_bytes(token), probability=probability)
                for token, probability in record.probabilities
            ],
        )

    def _finished(self, event: Finished) -> generation_pb2.Finished:
        self._usage.completion_tokens += event.tokens_predicted
        finished = generation_pb2.Finished(
            index=event.index,
            reason=_REASONS[event.reason],
            usage=self._usage if event.is_last else None,
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


class _Deltas:
    """The Deltas under construction: one for each sequence that has new pieces."""

    def __init__(self) -> None:
        self._by_index: dict[int, generation_pb2.Delta] = {}
        #: Pieces plus reported candidates of all of them.
        self.n_entries = 0

    def add(self, index: int, piece: generation_pb2.Piece, n_entries: int) -> None:
        """Append a piece to the Delta of its sequence."""
        delta = self._by_index.get(index)
        if delta is None:
            delta = self._by_index[index] = generation_pb2.Delta(index=index)
        delta.pieces.append(piece)
        self.n_entries += n_entries

    def take(self) -> Iterator[generation_pb2.GenerateResponse]:
        """Yield a message for each Delta, and start afresh."""
        deltas, self._by_index, self.n_entries = self._by_index, {}, 0
        for delta in deltas.values():
            yield generation_pb2.GenerateResponse(delta=delta)


def _n_candidates(piece: Piece) -> int:
    return sum(len(token.probabilities) + len(token.top_logprobs) for token in piece.tokens)


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
