"""POST /v1/completions: the core's messages in the OpenAI form, as chunks or as one answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rest_adapter.translate.choices import Choice, usage_json
from rest_adapter.translate.jsontext import JsonObject
from rest_adapter.translate.outcome import check_finished
from rest_adapter.translate.text_completion import TextCompletionCall
from rest_adapter.translate.text_logprobs import TextLogprobs
from rest_adapter.translate.tokens import token_probabilities
from slotline.v1.generation_pb2 import Delta, GenerateResponse


class TextCompletionReply:
    """Collects the core's messages for one body and puts them into the OpenAI form.

    Args:
        call: the body.
        echoes: what comes before the answers to each prompt; empty texts for nothing.
        completion_id: the answer's id; all chunks carry it.
        created: Unix time in seconds; all chunks carry it.
    """

    def __init__(self, call: TextCompletionCall, echoes: Sequence[str], *, completion_id: str, created: int) -> None:
        self._call = call
        self._id = completion_id
        self._created = created
        self._wants_probabilities = call.requests[0].output.n_probs > 0
        # Choices are numbered prompt by prompt.
        self._choices = [
            [_TextChoice(prompt * call.n_choices + i, echo) for i in range(call.n_choices)]
            for prompt, echo in enumerate(echoes)
        ]

    def feed(self, number: int, response: GenerateResponse) -> Iterator[JsonObject]:
        """Take a message of call ``number`` and yield the chunks it makes.

        Raises:
            RpcFailure: the core ended a sequence before its time.
        """
        choices = self._choices[number]
        match response.WhichOneof("event"):
            case "accepted" if self._call.is_stream:
                for choice in choices:
                    if choice.echo:
                        yield self._chunk(choice, choice.echo)
            case "delta":
                yield from self._take(choices[response.delta.index], response.delta)
            case "finished":
                check_finished(response.finished)
                choice = choices[response.finished.index]
                choice.finished = response.finished
                if self._call.is_stream:
                    yield self._chunk(choice, "", choice.finish_reason())

    def closing_events(self) -> Iterator[JsonObject]:
        """The chunk after the last message: the usage, if it was asked for."""
        usage = usage_json(self._choices)
        if self._call.includes_usage:
            yield self._envelope() | {"choices": [], "usage": usage}

    def result(self) -> JsonObject:
        """The answer without a stream, after the last message."""
        choices = [choice for of_prompt in self._choices for choice in of_prompt]
        result = self._envelope() | {
            "choices": [
                self._entry(choice, choice.echo + "".join(choice.texts), choice.finish_reason()) for choice in choices
            ],
            "usage": usage_json(self._choices),
        }
        if self._wants_probabilities:
            result["completion_probabilities"] = [
                token_probabilities(token) for choice in choices for token in choice.tokens
            ]
        return result

    def _take(self, choice: _TextChoice, delta: Delta) -> Iterator[JsonObject]:
        for piece in delta.pieces:
            choice.tokens.extend(piece.tokens)
            choice.logprobs.add(piece.tokens, piece.text)
            if not self._call.is_stream:
                choice.texts.append(piece.text)
            elif piece.text:
                yield self._chunk(choice, piece.text)

    def _chunk(self, choice: _TextChoice, text: str, finish_reason: str | None = None) -> JsonObject:
        chunk = self._envelope() | {"choices": [self._entry(choice, text, finish_reason)]}
        if self._call.includes_usage:
            chunk["usage"] = None
        # Tokens without text of their own travel with the next chunk.
        if self._wants_probabilities:
            chunk["completion_probabilities"] = [token_probabilities(token) for token in choice.tokens]
        choice.tokens.clear()
        return chunk

    def _entry(self, choice: _TextChoice, text: str, finish_reason: str | None) -> JsonObject:
        return {
            "finish_reason": finish_reason,
            "index": choice.index,
            "logprobs": choice.logprobs.take() if self._call.wants_logprobs else None,
            "text": text,
        }

    def _envelope(self) -> JsonObject:
        return {"created": self._created, "id": self._id, "model": self._call.model, "object": "text_completion"}


class _TextChoice(Choice):
    """What has come for one of the answers, and the text before it."""

    def __init__(self, index: int, echo: str) -> None:
        super().__init__(index)
        self.echo = echo
        self.logprobs = TextLogprobs()
