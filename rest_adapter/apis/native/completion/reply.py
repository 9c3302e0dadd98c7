"""POST /completion and POST /infill: the core's messages as JSON objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.ending import Ending, check_finished, unfinished
from rest_adapter.apis.common.settings import generation_settings
from rest_adapter.apis.common.tokens import token_probabilities
from slotline.v1.generation_pb2 import (
    Accepted,
    Finished,
    GenerateRequest,
    GenerateResponse,
    Piece,
    Timings,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rest_adapter.apis.native.completion.request import CompletionCall
    from rest_adapter.json.encoding import Encoded, JsonObject


class CompletionReply:
    """Translates the core's messages for one body.

    Args:
        call: the body.
        model: what the answers call the model; None for its name in the core.
    """

    def __init__(self, call: CompletionCall, *, model: str | None = None) -> None:
        self._is_multiple = call.is_multiple
        self._answers = [
            _Answer(request, prompt.echo, is_stream=call.is_stream, model=model)
            for request, prompt in zip(call.requests, call.prompts, strict=True)
        ]

    def feed(self, number: int, response: GenerateResponse) -> Iterator[JsonObject]:
        """Take a message of call ``number`` and yield the stream events it makes.

        Raises:
            RpcFailure: the server cut the sequence short.
        """
        for event in self._answers[number].feed(response):
            if self._is_multiple:
                event["index"] = number
            yield event

    def closing_events(self) -> Iterator[JsonObject]:
        """The events after the last message: none, because the final objects have been sent."""
        yield from ()

    def result(self) -> JsonObject:
        """The answer without a stream, after the last message."""
        if self._is_multiple:
            return {"results": [answer.result() for answer in self._answers]}
        return self._answers[0].result()


class _Answer:
    """The answer to one prompt."""

    def __init__(self, request: GenerateRequest, echo: object, *, is_stream: bool, model: str | None) -> None:
        self._model = model
        self._echo = echo
        self._is_stream = is_stream
        self._wants_probabilities = request.output.n_probs > 0
        self._accepted = Accepted()
        self._texts: list[str] = []
        self._probabilities: list[Encoded] = []
        self._finished: Finished | None = None

    def feed(self, response: GenerateResponse) -> Iterator[JsonObject]:
        match response.WhichOneof("event"):
            case "accepted":
                self._accepted = response.accepted
            case "delta":
                for piece in response.delta.pieces:
                    yield from self._take(piece)
            case "finished":
                check_finished(response.finished)
                self._finished = response.finished
                if self._is_stream:
                    yield self.result()

    def result(self) -> JsonObject:
        finished = self._finished
        if finished is None:
            raise unfinished()
        ending = Ending.of(finished)
        model = self._accepted.model if self._model is None else self._model
        result: JsonObject = {
            "content": "".join(self._texts),
            "generation_settings": generation_settings(finished.settings, model=model, is_stream=self._is_stream),
            "model": model,
            "prompt": self._echo,
            "slot_id": finished.slot_id,
            "stop": True,
            "stopped_eos": ending.is_eos,
            "stopped_limit": ending.is_limit,
            "stopped_word": ending.is_word,
            "stopping_word": ending.stop_text,
            "timings": _timings(finished.timings),
            "tokens_cached": finished.tokens_cached,
            "tokens_evaluated": finished.tokens_evaluated,
            "tokens_predicted": finished.tokens_predicted,
            "truncated": finished.truncated,
        }
        if self._wants_probabilities:
            result["completion_probabilities"] = self._probabilities
        return result

    def _take(self, piece: Piece) -> Iterator[JsonObject]:
        probabilities: Sequence[Encoded] = ()
        if self._wants_probabilities:
            probabilities = [token_probabilities(token) for token in piece.tokens]
            self._probabilities.extend(probabilities)
        if not self._is_stream:
            self._texts.append(piece.text)
            return
        event: JsonObject = {
            "content": piece.text,
            "multimodal": self._accepted.takes_images,
            "slot_id": self._accepted.slot_id,
            "stop": False,
        }
        if self._wants_probabilities:
            event["completion_probabilities"] = probabilities
        yield event


def _timings(timings: Timings) -> JsonObject:
    prompt_ms = timings.prompt_eval.ToNanoseconds() / 1e6
    decode_ms = timings.decode.ToNanoseconds() / 1e6
    return {
        "prompt_n": timings.prompt_tokens,
        "prompt_ms": prompt_ms,
        # Never null: clients, such as the web page of llama.cpp's server, format these without a check.
        "prompt_per_token_ms": prompt_ms / timings.prompt_tokens if timings.prompt_tokens else 0.0,
        "prompt_per_second": 1e3 * timings.prompt_tokens / prompt_ms if prompt_ms else 0.0,
        "predicted_n": timings.decoded_tokens,
        "predicted_ms": decode_ms,
        "predicted_per_token_ms": decode_ms / timings.decoded_tokens if timings.decoded_tokens else 0.0,
        "predicted_per_second": 1e3 * timings.decoded_tokens / decode_ms if decode_ms else 0.0,
    }
