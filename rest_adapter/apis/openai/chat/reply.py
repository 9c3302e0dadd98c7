"""POST /v1/chat/completions: from the core's messages to chunks or one answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.ending import check_finished
from rest_adapter.apis.common.timings import prompt_progress, with_times
from rest_adapter.apis.common.tokens import token_probabilities
from rest_adapter.apis.openai.choices import Choice, usage_json
from rest_adapter.apis.openai.placed_tokens import PlacedTokens
from rest_adapter.apis.openai.verbose import with_verbose
from slotline.v1.generation_pb2 import Accepted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rest_adapter.apis.openai.chat.request import ChatCall
    from rest_adapter.json.encoding import JsonObject
    from slotline.v1.generation_pb2 import GenerateResponse, Piece
    from slotline.v1.tokens_pb2 import Token


class ChatReply:
    """Translates the core's messages for one body.

    Args:
        call: the body.
        completion_id: the answer's id; all chunks carry it.
        created: Unix time in seconds; all chunks carry it.
    """

    def __init__(self, call: ChatCall, *, completion_id: str, created: int) -> None:
        self._call = call
        self._form = call.form
        self._model = call.model
        self._id = completion_id
        self._created = created
        self._wants_probabilities = call.request.output.n_probs > 0
        self._accepted = Accepted()
        self._choices = [ChatChoice(index) for index in range(call.n_choices)]

    def feed(self, number: int, response: GenerateResponse) -> Iterator[JsonObject]:
        """Take a message and yield the chunks it makes. ``number`` is that of the call, always 0.

        Raises:
            RpcFailure: the server cut a sequence short.
        """
        self._model = self._model or response.accepted.model
        match response.WhichOneof("event"):
            case "accepted":
                self._accepted = response.accepted
                if self._call.is_stream:
                    for choice in self._choices:
                        yield self._chunk(choice, self._first_delta())
            case "progress":
                yield self._chunk(self._choices[0], {}) | {"prompt_progress": prompt_progress(response.progress)}
            case "delta":
                yield from self._take(self._choices[response.delta.index], response.delta.pieces)
            case "finished":
                check_finished(response.finished)
                choice = self._choices[response.finished.index]
                choice.finished = response.finished
                if self._call.is_stream:
                    yield self._ended(self._chunk(choice, {}, choice.finish_reason()), choice)

    def closing_events(self) -> Iterator[JsonObject]:
        """The chunk after the last message: the usage, if it was asked for."""
        usage = usage_json((self._choices,))
        if self._call.includes_usage:
            chunk = self._envelope("chat.completion.chunk") | {"choices": [], "usage": usage}
            yield self._form.timed(chunk, self._choices[0].end())

    def result(self) -> JsonObject:
        """The answer without a stream, after the last message."""
        result = self._envelope("chat.completion") | {
            "choices": [self._message(choice) for choice in self._choices],
            "usage": usage_json((self._choices,)),
        }
        if self._wants_probabilities:
            result["completion_probabilities"] = [entry for choice in self._choices for entry in choice.probabilities]
        return self._ended(result, self._choices[0])

    def _ended(self, answer: JsonObject, choice: ChatChoice) -> JsonObject:
        """What ends an answer, with its times and all else about a choice as far as they are wanted."""
        return with_verbose(self._form.timed(answer, choice.end()), self._accepted, choice, self._call.verbose)

    def _first_delta(self) -> JsonObject:
        """What the first chunk of an answer has."""
        return dict(self._form.first_delta)

    def _take(self, choice: ChatChoice, pieces: Iterable[Piece]) -> Iterator[JsonObject]:
        for piece in pieces:
            if self._wants_probabilities:
                choice.probabilities.extend(map(token_probabilities, piece.tokens))
            choice.placed.add(piece.tokens, piece.text)
            if not self._call.is_stream:
                choice.texts.append(piece.text)
            elif piece.text:
                yield with_times(self._chunk(choice, {"content": piece.text}), piece)

    def _message(self, choice: ChatChoice) -> JsonObject:
        return {
            "finish_reason": choice.finish_reason(),
            "index": choice.index,
            "logprobs": self._logprobs(choice.placed.take()) if self._call.wants_logprobs else None,
            # Always null, because the server never refuses by itself; clients read the field.
            "message": {"content": "".join(choice.texts), "refusal": None, "role": "assistant"},
        }

    def _chunk(self, choice: ChatChoice, delta: JsonObject, finish_reason: str | None = None) -> JsonObject:
        entry: JsonObject = {"delta": delta, "finish_reason": finish_reason, "index": choice.index}
        chunk = self._envelope("chat.completion.chunk") | {"choices": [entry]}
        if self._call.includes_usage:
            chunk["usage"] = None
        # Tokens without text of their own travel with the next chunk.
        if self._call.wants_logprobs:
            placed = choice.placed.take()
            entry["logprobs"] = self._logprobs(placed) if placed else None
        if self._wants_probabilities:
            chunk["completion_probabilities"] = choice.probabilities.copy()
        choice.probabilities.clear()
        return chunk

    def _envelope(self, kind: str) -> JsonObject:
        return {"created": self._created, "id": self._id, "model": self._model, "object": kind, **self._form.envelope}

    def _logprobs(self, placed: Sequence[tuple[int, Token]]) -> JsonObject:
        return {"content": [self._form.token(token) for _, token in placed]}


class ChatChoice(Choice):
    """One of the answers, and its tokens that wait for their text."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.placed = PlacedTokens()
