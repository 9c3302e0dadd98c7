"""POST /v1/completions: from the core's messages to chunks or one answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.ending import check_finished
from rest_adapter.apis.common.timings import prompt_progress, with_times
from rest_adapter.apis.common.tokens import token_probabilities
from rest_adapter.apis.openai.choices import Choice, usage_json
from rest_adapter.apis.openai.completions.logprobs import LogprobLists, TextLogprobs
from rest_adapter.apis.openai.completions.prompt_logprobs import EchoedTokens, prompt_entry
from rest_adapter.apis.openai.verbose import with_verbose
from rest_adapter.errors import InvalidRequest
from slotline.v1.generation_pb2 import Accepted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rest_adapter.apis.openai.completions.request import TextCompletionCall
    from rest_adapter.json.encoding import JsonObject
    from slotline.v1.generation_pb2 import Delta, GenerateResponse, PromptTokens

#: Tokens of prompts and their candidates in one answer without a stream, because encoding it stops all others.
MAX_PROMPT_ENTRIES = 1 << 16


class TextCompletionReply:
    """Translates the core's messages for one body.

    Args:
        call: the body.
        echoes: the text that precedes the answers to each prompt; may be empty.
        completion_id: the answer's id; all chunks carry it.
        created: Unix time in seconds; all chunks carry it.
    """

    def __init__(self, call: TextCompletionCall, echoes: Sequence[str], *, completion_id: str, created: int) -> None:
        self._call = call
        self._model = call.model
        self._id = completion_id
        self._created = created
        self._wants_probabilities = call.requests[0].output.n_probs > 0
        # Choices are numbered prompt by prompt.
        self._choices = [
            [_TextChoice(prompt * call.n_choices + i, echo, call.scores_echo) for i in range(call.n_choices)]
            for prompt, echo in enumerate(echoes)
        ]
        self._prompts = [_Prompt(echo) for echo in echoes]
        self._n_entries = 0

    def feed(self, number: int, response: GenerateResponse) -> Iterator[JsonObject]:
        """Take a message of call ``number`` and yield the chunks it makes.

        Raises:
            RpcFailure: the server cut a sequence short.
        """
        choices = self._choices[number]
        self._model = self._model or response.accepted.model
        match response.WhichOneof("event"):
            case "accepted":
                self._prompts[number].accepted = response.accepted
                if self._is_scored:
                    self._expect(self._prompts[number], response.accepted)
                elif self._call.is_stream:
                    for choice in choices:
                        if choice.echo:
                            yield self._chunk(choice, choice.echo)
            case "progress":
                yield self._chunk(choices[0], "") | {"prompt_progress": prompt_progress(response.progress)}
            case "prompt":
                yield from self._take_prompt(self._prompts[number], choices, response.prompt)
            case "delta":
                yield from self._take(choices[response.delta.index], response.delta)
            case "finished":
                check_finished(response.finished)
                choice = choices[response.finished.index]
                choice.finished = response.finished
                if self._call.scores_echo and choice.finished.WhichOneof("match") != "stop_text":
                    choice.logprobs.extend(choice.placed.take(rest=True))
                if self._call.is_stream:
                    yield self._ended(self._chunk(choice, "", choice.finish_reason()), choice)

    def closing_events(self) -> Iterator[JsonObject]:
        """The chunk after the last message: the usage, if it was asked for."""
        usage = usage_json(self._choices)
        if self._call.includes_usage:
            chunk = self._envelope() | {"choices": [], "usage": usage}
            yield self._call.form.timed(chunk, self._choices[0][0].end())

    def result(self) -> JsonObject:
        """The answer without a stream, after the last message."""
        choices = [choice for of_prompt in self._choices for choice in of_prompt]
        result = self._envelope() | {
            "choices": [
                self._entry(choice, choice.echo + "".join(choice.texts), choice.finish_reason()) | prompt.fields
                for prompt, of_prompt in zip(self._prompts, self._choices, strict=True)
                for choice in of_prompt
            ],
            "usage": usage_json(self._choices),
        }
        if self._wants_probabilities:
            result["completion_probabilities"] = [entry for choice in choices for entry in choice.probabilities]
        return self._ended(result, choices[0])

    def _ended(self, answer: JsonObject, choice: _TextChoice) -> JsonObject:
        """What ends an answer, with its times and all else about a choice as far as they are wanted."""
        accepted, call = self._prompts[choice.index // self._call.n_choices].accepted, self._call
        return with_verbose(call.form.timed(answer, choice.end()), accepted, choice, call.verbose)

    @property
    def _is_scored(self) -> bool:
        return self._call.requests[0].output.prompt_logprobs

    def _expect(self, prompt: _Prompt, accepted: Accepted) -> None:
        """Note how long a prompt is.

        Raises:
            InvalidRequest: the answer would have too many log-probabilities of prompts.
        """
        prompt.n_left = accepted.prompt_tokens
        n_top = self._call.requests[0].output.top_logprobs
        self._n_entries += accepted.prompt_tokens * (1 + n_top) * self._call.n_choices
        if self._n_entries > MAX_PROMPT_ENTRIES and not self._call.is_stream:
            name = "prompt_logprobs" if self._call.wants_prompt_logprobs else "logprobs"
            raise InvalidRequest(
                name,
                f"the prompts' tokens and their candidates make more than {MAX_PROMPT_ENTRIES} entries of one answer; "
                "send fewer prompts at a time, ask for fewer candidates, or stream",
            )

    def _take_prompt(
        self, prompt: _Prompt, choices: Sequence[_TextChoice], message: PromptTokens
    ) -> Iterator[JsonObject]:
        prompt.n_left -= len(message.tokens)
        if self._call.wants_prompt_logprobs:
            entries: list[JsonObject | None] = prompt.fields.setdefault("prompt_logprobs", [])
            entries.extend(prompt_entry(token) for token in message.tokens)
        if not self._call.scores_echo:
            return
        text, lists = prompt.tokens.take(message.tokens, is_last=prompt.n_left <= 0)
        for choice in choices:
            choice.logprobs.extend(lists)
            if self._call.is_stream:
                yield self._chunk(choice, text)

    def _take(self, choice: _TextChoice, delta: Delta) -> Iterator[JsonObject]:
        for piece in delta.pieces:
            if self._wants_probabilities:
                choice.probabilities.extend(map(token_probabilities, piece.tokens))
            choice.placed.add(piece.tokens, piece.text)
            if not self._call.is_stream:
                choice.texts.append(piece.text)
            elif piece.text:
                yield with_times(self._chunk(choice, piece.text), piece)

    def _chunk(self, choice: _TextChoice, text: str, finish_reason: str | None = None) -> JsonObject:
        chunk = self._envelope() | {"choices": [self._entry(choice, text, finish_reason)]}
        if self._call.includes_usage:
            chunk["usage"] = None
        # Tokens without text of their own travel with the next chunk.
        if self._wants_probabilities:
            chunk["completion_probabilities"] = choice.probabilities.copy()
        choice.probabilities.clear()
        return chunk

    def _entry(self, choice: _TextChoice, text: str, finish_reason: str | None) -> JsonObject:
        logprobs, choice.logprobs = choice.logprobs, LogprobLists()
        logprobs.extend(choice.placed.take())
        return {
            "finish_reason": finish_reason,
            "index": choice.index,
            "logprobs": logprobs.json() if self._call.wants_logprobs else None,
            "text": text,
        }

    def _envelope(self) -> JsonObject:
        return {
            "created": self._created,
            "id": self._id,
            "model": self._model,
            "object": "text_completion",
            **self._call.form.envelope,
        }


class _TextChoice(Choice):
    """One of the answers, and the text before it.

    Attributes:
        placed: its tokens that wait for their text.
        logprobs: log-probabilities of the tokens before those, which have not been sent.
    """

    def __init__(self, index: int, echo: str, scores_echo: bool) -> None:
        super().__init__(index)
        self.echo = echo
        # Programs that score texts expect an entry for each token, also for those without text.
        self.placed = TextLogprobs(len(echo) if scores_echo else 0, keeps_control=scores_echo)
        self.logprobs = LogprobLists()


class _Prompt:
    """One of the prompts.

    Attributes:
        accepted: where it runs.
        tokens: those that are echoed with their log-probabilities, which come in pieces.
        n_left: tokens that have not come yet.
        fields: fields about the prompt that each of its answers has.
    """

    def __init__(self, echo: str) -> None:
        self.accepted = Accepted()
        self.tokens = EchoedTokens(echo)
        self.n_left = 0
        self.fields: JsonObject = {}
