"""The engine's events to the messages of a ``Generate`` stream."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from google.protobuf import duration_pb2

from service.api.convert.settings import generation_settings
from service.dialogue.output import Channel
from service.engine.request.events import (
    Accepted,
    Event,
    Failed,
    Finished,
    FinishReason,
    Piece,
    PromptProgress,
    PromptTokens,
    Timings,
    TokenRecord,
    ToolDelta,
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


_CHANNELS = {
    Channel.CONTENT: generation_pb2.CHANNEL_CONTENT,
    Channel.REASONING: generation_pb2.CHANNEL_REASONING,
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
        prompt_text: the prompt as it is told; empty if nobody asked.
    """

    request: GenerationRequest
    model: ServedModel
    request_id: str
    instance_id: str
    task_id: int
    prompt_text: str = ""
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
                if event.channel is not None:
                    yield from deltas.end_calls(event.index)
                self._add_piece(deltas.of(event.index), event)
                deltas.n_entries += 1 + _n_candidates(event)
                if deltas.n_entries < MAX_DELTA_ENTRIES:
                    continue
            elif isinstance(event, ToolDelta):
                _add_tool_delta(deltas.of(event.index), event)
                deltas.n_entries += 1
                if deltas.n_entries < MAX_DELTA_ENTRIES:
                    continue
            yield from deltas.take()
            if isinstance(event, Failed):
                raise event.error
            if isinstance(event, Accepted | PromptProgress | PromptTokens | Finished):
                yield self._response(event)
        yield from deltas.take()

    def _response(self, event: Accepted | PromptProgress | PromptTokens | Finished) -> generation_pb2.GenerateResponse:
        # Messages are filled where they belong: one that is passed to another is copied.
        response = generation_pb2.GenerateResponse()
        if isinstance(event, Accepted):
            self._fill_accepted(response.accepted, event)
        elif isinstance(event, PromptProgress):
            _fill_progress(response.progress, event)
        elif isinstance(event, PromptTokens):
            response.prompt.SetInParent()
            for record in event.tokens:
                self._fill_token(response.prompt.tokens.add(), record, names=True)
        else:
            self._fill_finished(response.finished, event)
        return response

    def _fill_accepted(self, accepted: generation_pb2.Accepted, event: Accepted) -> None:
        self._usage.prompt_tokens = event.prompt_tokens
        self._usage.cached_prompt_tokens = event.cached_prompt_tokens
        self._usage.truncated_prompt_tokens = event.truncated_prompt_tokens
        if self.request.media:
            self._usage.image_tokens = self.request.n_media_items
        accepted.request_id = self.request_id
        accepted.model = self.model.name
        accepted.instance_id = self.instance_id
        accepted.task_id = self.task_id
        accepted.slot_id = event.slot_id
        accepted.prompt_tokens = event.prompt_tokens
        accepted.cached_prompt_tokens = event.cached_prompt_tokens
        _set_seconds(accepted.queued, event.queued_s)
        accepted.truncated = event.truncated_prompt_tokens > 0
        accepted.truncated_prompt_tokens = event.truncated_prompt_tokens
        if self.model.pictures is not None:
            accepted.takes_images = True
        accepted.prompt_text = self.prompt_text

    def _add_piece(self, delta: generation_pb2.Delta, event: Piece) -> None:
        piece = delta.pieces.add(text=event.text)
        if event.channel is not None:
            piece.channel = _CHANNELS[event.channel]
        if event.timings is not None:
            _fill_timings(piece.timings, event.timings)
        for record in event.tokens:
            self._fill_token(piece.tokens.add(), record)

    def _fill_token(self, token: tokens_pb2.Token, record: TokenRecord, *, names: bool = False) -> None:
        """Write a record into a message; ``names`` gives control tokens their names as bytes."""
        token_bytes = self.model.vocabulary.token_bytes
        token.id = record.id
        token.piece = token_bytes(record.id, special=True) if names else record.token_bytes
        if record.logprob is not None:
            token.logprob = record.logprob
        if record.rank is not None:
            token.rank = record.rank
        if record.probability is not None:
            token.probability = record.probability
        for number, logprob in record.top_logprobs:
            token.top_logprobs.add(id=number, piece=token_bytes(number, special=names), logprob=logprob)
        for number, probability in record.probabilities:
            token.probabilities.add(id=number, piece=token_bytes(number, special=names), probability=probability)

    def _fill_finished(self, finished: generation_pb2.Finished, event: Finished) -> None:
        self._usage.completion_tokens += event.tokens_predicted
        finished.index = event.index
        finished.reason = _REASONS[event.reason]
        if event.n_calls and event.reason is FinishReason.STOP:
            finished.reason = generation_pb2.FINISH_REASON_TOOL_CALLS
        if event.reasoning_tokens is not None:
            self._usage.reasoning_tokens += event.reasoning_tokens
        if event.is_last:
            finished.usage.CopyFrom(self._usage)
        _fill_timings(finished.timings, event.timings)
        finished.truncated = event.truncated
        finished.tokens_evaluated = event.tokens_evaluated
        finished.tokens_predicted = event.tokens_predicted
        finished.tokens_cached = event.tokens_cached
        finished.settings.CopyFrom(
            generation_settings(
                self.request, self.model, seed=event.seed, n_keep=event.n_keep, max_tokens=event.max_tokens
            )
        )
        finished.slot_id = event.slot_id
        finished.has_line_break = event.has_line_break
        if event.stop_text is not None:
            finished.stop_text = event.stop_text.decode()
        elif event.stop_token is not None:
            finished.stop_token_id = event.stop_token
        elif event.eos_token is not None:
            finished.eos_token_id = event.eos_token


class _Deltas:
    """The Deltas under construction: one for each sequence that has new pieces."""

    def __init__(self) -> None:
        self._by_index: dict[int, generation_pb2.GenerateResponse] = {}
        #: Pieces plus reported candidates of all of them.
        self.n_entries = 0

    def of(self, index: int) -> generation_pb2.Delta:
        """The Delta of a sequence."""
        response = self._by_index.get(index)
        if response is None:
            response = self._by_index[index] = generation_pb2.GenerateResponse()
            response.delta.index = index
        return response.delta

    def end_calls(self, index: int) -> Iterable[generation_pb2.GenerateResponse]:
        """The Delta of a sequence if it holds parts of calls, behind which no pieces may come; it is begun afresh."""
        response = self._by_index.get(index)
        if response is not None and response.delta.tool_deltas:
            yield self._by_index.pop(index)

    def take(self) -> Iterable[generation_pb2.GenerateResponse]:
        """A message for each Delta; then start afresh."""
        responses, self._by_index, self.n_entries = self._by_index, {}, 0
        return responses.values()


def _n_candidates(piece: Piece) -> int:
    return sum(len(token.probabilities) + len(token.top_logprobs) for token in piece.tokens)


def duration(seconds: float) -> duration_pb2.Duration:
    """Seconds as a Duration."""
    message = duration_pb2.Duration()
    _set_seconds(message, seconds)
    return message


def _set_seconds(message: duration_pb2.Duration, seconds: float) -> None:
    message.FromNanoseconds(round(seconds * 1e9))


def _fill_timings(message: generation_pb2.Timings, timings: Timings) -> None:
    message.prompt_tokens = timings.prompt_tokens
    _set_seconds(message.prompt_eval, timings.prompt_s)
    message.decoded_tokens = timings.decoded_tokens
    _set_seconds(message.decode, timings.decode_s)
    message.cached_prompt_tokens = timings.cached_tokens
    if timings.draft_tokens:
        message.draft_tokens = timings.draft_tokens
        message.draft_accepted = timings.draft_accepted


def _fill_progress(message: generation_pb2.PromptProgress, progress: PromptProgress) -> None:
    message.total = progress.total
    message.cached = progress.cached
    message.processed = progress.processed
    _set_seconds(message.elapsed, progress.elapsed_s)


def _add_tool_delta(delta: generation_pb2.Delta, event: ToolDelta) -> None:
    added = delta.tool_deltas.add(call=event.call, id=event.id, name=event.name, arguments=event.arguments)
    if event.timings is not None:
        _fill_timings(added.timings, event.timings)
