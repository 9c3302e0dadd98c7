"""POST /completion and POST /infill: the request for each prompt, and the answers as JSON objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rest_adapter.apis.common.candidates import bound_candidates
from rest_adapter.apis.common.constraints import place_of_constraint, read_constraints
from rest_adapter.apis.common.fields import read_bool, refusal
from rest_adapter.apis.common.options import apply_options, json_name, read_timeout_s
from rest_adapter.apis.common.outcome import Outcome, check_finished, unfinished
from rest_adapter.apis.common.overflow import read_overflow
from rest_adapter.apis.common.prompt import Part, Prompt, put_parts, read_mixed, read_prompts, requests_for
from rest_adapter.apis.common.settings import generation_settings
from rest_adapter.apis.common.synonyms import apply_synonyms
from rest_adapter.apis.common.tokens import token_probabilities
from rest_adapter.apis.common.unsupported import INFILL, NATIVE, refuse_unsupported
from rest_adapter.apis.openai.openai_options import read_max_tokens
from slotline.v1.generation_pb2 import (
    Accepted,
    Finished,
    GenerateRequest,
    GenerateResponse,
    Piece,
    Timings,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rest_adapter.errors import RpcFailure
    from rest_adapter.json.encoding import Encoded, JsonObject
    from slotline.v1.prompt_pb2 import PromptParts


@dataclass(frozen=True, slots=True)
class CompletionCall:
    """A body of POST /completion or POST /infill, understood.

    Attributes:
        requests: one per prompt.
        prompts: the prompts, in the same order.
        is_multiple: the answer is a list of results.
        is_stream: the answer is a stream of events.
        timeout_s: seconds that the whole generation may take, or None.
        constraint_field: what a grammar or a choice came from.
    """

    requests: tuple[GenerateRequest, ...]
    prompts: tuple[Prompt, ...]
    is_multiple: bool
    is_stream: bool
    timeout_s: float | None
    constraint_field: str


def read_completion(body: Mapping[str, object]) -> CompletionCall:
    """Understand a body.

    Raises:
        InvalidRequest: a field has a value that is not allowed.
    """
    refuse_unsupported(body, NATIVE)
    prompts = read_prompts(body.get("prompt"))
    template, constraint_field = _template(body)
    bound_candidates(template, len(prompts.items), tokens="n_predict")
    return CompletionCall(
        requests=requests_for(template, prompts),
        prompts=prompts.items,
        is_multiple=prompts.is_multiple,
        is_stream=_is_stream(body),
        timeout_s=read_timeout_s(body),
        constraint_field=constraint_field,
    )


def read_infill(body: Mapping[str, object]) -> CompletionCall:
    """Understand a body of POST /infill. Its ``prompt`` is not used, only repeated in the answer.

    Raises:
        InvalidRequest: a field has a value that is not allowed.
    """
    refuse_unsupported(body, INFILL)
    request, constraint_field = _template(body)
    bound_candidates(request, tokens="n_predict")
    request.infill.SetInParent()
    _put_side(request.infill.prefix, "input_prefix", body)
    _put_side(request.infill.suffix, "input_suffix", body)
    return CompletionCall(
        requests=(request,),
        prompts=(Prompt((), _infill_echo(body.get("prompt")), "prompt"),),
        is_multiple=False,
        is_stream=_is_stream(body),
        timeout_s=read_timeout_s(body),
        constraint_field=constraint_field,
    )


def rename_fields(failure: RpcFailure, call: CompletionCall) -> RpcFailure:
    """A failure of Generate that names the fields of the body, and the prompt among several."""
    prompt = call.prompts[failure.call]
    return failure.renamed(lambda path: prompt.place(json_name(place_of_constraint(path, call.constraint_field))))


class CompletionReply:
    """Collects the core's messages for one body and puts them into the native form.

    Args:
        call: the body.
        model: what the answers call the model; None for the name that the core tells.
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
            RpcFailure: the core ended the sequence before its time.
        """
        for event in self._answers[number].feed(response):
            if self._is_multiple:
                event["index"] = number
            yield event

    def closing_events(self) -> Iterator[JsonObject]:
        """The events after the last message: none, the final objects have been sent."""
        yield from ()

    def result(self) -> JsonObject:
        """The answer without a stream, after the last message."""
        if self._is_multiple:
            return {"results": [answer.result() for answer in self._answers]}
        return self._answers[0].result()


class _Answer:
    """What has come for one prompt."""

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
        outcome = Outcome.of(finished)
        model = self._accepted.model if self._model is None else self._model
        result: JsonObject = {
            "content": "".join(self._texts),
            "generation_settings": generation_settings(finished.settings, model=model, is_stream=self._is_stream),
            "model": model,
            "prompt": self._echo,
            "slot_id": finished.slot_id,
            "stop": True,
            "stopped_eos": outcome.is_eos,
            "stopped_limit": outcome.is_limit,
            "stopped_word": outcome.is_word,
            "stopping_word": outcome.stop_text,
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
            "multimodal": False,
            "slot_id": self._accepted.slot_id,
            "stop": False,
        }
        if self._wants_probabilities:
            event["completion_probabilities"] = probabilities
        yield event


def _template(body: Mapping[str, object]) -> tuple[GenerateRequest, str]:
    """A request without a prompt, and the field that its constraint came from."""
    request = GenerateRequest()
    read_overflow(request, body, truncates=True)
    apply_options(request, body)
    apply_synonyms(request, body)
    if body.get("n_predict") is None:
        read_max_tokens(request, body)
    return request, read_constraints(request, body)


def _is_stream(body: Mapping[str, object]) -> bool:
    stream = body.get("stream")
    return stream is not None and read_bool("stream", stream)


def _put_side(target: PromptParts, name: str, body: Mapping[str, object]) -> None:
    """One side of the gap: a string, or an array of strings and token ids; empty if it is missing."""
    value = body.get(name)
    parts: Sequence[Part]
    if value is None or isinstance(value, str):
        parts = (value or "",)
    elif isinstance(value, list):
        parts = read_mixed(name, value)
    else:
        raise refusal(name, value, "a string or an array of strings and token ids")
    put_parts(target, [part for part in parts if part])


def _infill_echo(value: object) -> object:
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, list):
        # Only for its form: what is repeated must be what a prompt can be.
        read_mixed("prompt", value)
        return value
    raise refusal("prompt", value, "a string or an array of strings and token ids")


def _timings(timings: Timings) -> JsonObject:
    prompt_ms = timings.prompt_eval.ToNanoseconds() / 1e6
    decode_ms = timings.decode.ToNanoseconds() / 1e6
    return {
        "prompt_n": timings.prompt_tokens,
        "prompt_ms": prompt_ms,
        # Numbers in every case: clients, the reference's web page among them, format them without looking.
        "prompt_per_token_ms": prompt_ms / timings.prompt_tokens if timings.prompt_tokens else 0.0,
        "prompt_per_second": 1e3 * timings.prompt_tokens / prompt_ms if prompt_ms else 0.0,
        "predicted_n": timings.decoded_tokens,
        "predicted_ms": decode_ms,
        "predicted_per_token_ms": decode_ms / timings.decoded_tokens if timings.decoded_tokens else 0.0,
        "predicted_per_second": 1e3 * timings.decoded_tokens / decode_ms if decode_ms else 0.0,
    }
