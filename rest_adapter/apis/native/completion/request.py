"""POST /completion: the request for each prompt of a body."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.common.api_defaults import apply_shape
from rest_adapter.apis.common.candidates import bound_candidates
from rest_adapter.apis.common.constraints import path_of_constraint, read_constraints
from rest_adapter.apis.common.extras import Extras, read_extras
from rest_adapter.apis.common.field_texts import of_refused_field
from rest_adapter.apis.common.fields import read_flag, read_int, refusal
from rest_adapter.apis.common.image_data import place_pictures, read_image_data
from rest_adapter.apis.common.max_tokens import read_max_tokens
from rest_adapter.apis.common.number_of_answers import read_n
from rest_adapter.apis.common.options import apply_options, json_name, read_timeout_s
from rest_adapter.apis.common.overflow import read_overflow
from rest_adapter.apis.common.pictures import Pictures
from rest_adapter.apis.common.prompt import Prompt, read_prompts, requests_for
from rest_adapter.apis.common.synonyms import apply_synonyms
from rest_adapter.apis.common.unsupported import NATIVE, refuse_unsupported
from rest_adapter.apis.native.completion.response_fields import read_response_fields
from slotline.v1.generation_pb2 import (
    GenerateRequest,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rest_adapter.errors import RpcFailure
    from slotline.v1.model_pb2 import ImageSupport


_N_PROBS, _LOGPROBS = "n_probs", "logprobs"
_PROBABILITIES = re.compile(r"output\.(?:n_probs|top_logprobs)\b")


@dataclass(frozen=True, slots=True)
class CompletionCall:
    """A body of POST /completion or POST /infill.

    Attributes:
        requests: one per prompt.
        prompts: the prompts, in the same order.
        n_answers: number of answers to each prompt.
        is_multiple: the answer is a list of results.
        is_stream: the answer is a stream of events.
        timeout_s: seconds that the whole generation may take, or None.
        constraint_field: the field that a grammar or a choice came from.
        probabilities_field: the field that asks for probabilities.
        extras: what else it asks for.
        wants_token_ids: answers have the ids of their tokens.
        wants_post_sampling: probabilities are those behind the samplers, in the form of today.
        response_fields: paths of the only fields that an answer is to have; none for all.
        images: the entries of ``image_data``, which ``with_pictures`` puts into the requests.
        pictures: those of each prompt; none without ``with_pictures``.
    """

    requests: tuple[GenerateRequest, ...]
    prompts: tuple[Prompt, ...]
    n_answers: int
    is_multiple: bool
    is_stream: bool
    timeout_s: float | None
    constraint_field: str
    probabilities_field: str
    extras: Extras
    wants_token_ids: bool
    wants_post_sampling: bool
    response_fields: tuple[str, ...]
    images: Sequence[object] = ()
    pictures: tuple[Pictures, ...] = ()


def read_completion(
    body: Mapping[str, object], *, shape: ApiShape = ApiShape.OF_2024, truncates: bool | None = None
) -> CompletionCall:
    """Read a body.

    Args:
        body: the JSON body.
        shape: whose defaults and ways to write options count.
        truncates: shorten prompts that do not fit, unless the body says otherwise; None for in the shape of 2024 alone.

    Raises:
        InvalidRequest: a field has a value that is not allowed.
    """
    refuse_unsupported(body, NATIVE)
    prompts = read_prompts(body.get("prompt"), takes_pictures=True)
    call = read_call(body, prompts.items, shape, truncates=truncates, is_multiple=prompts.is_multiple)
    (template,) = call.requests
    return replace(call, requests=requests_for(template, prompts), images=read_image_data(body))


def read_call(
    body: Mapping[str, object],
    prompts: tuple[Prompt, ...],
    shape: ApiShape,
    *,
    truncates: bool | None = None,
    is_multiple: bool = False,
) -> CompletionCall:
    """A call with one request, which has all but a prompt.

    Args:
        body: the JSON body.
        prompts: its prompts.
        shape: whose defaults and ways to write options count.
        truncates: shorten prompts that do not fit, unless the body says otherwise; None for in the shape of 2024 alone.
        is_multiple: whether the answer is a list of results because of them.

    Raises:
        InvalidRequest: an option has a value that is not allowed.
    """
    request, constraint_field = _read_template(body, shape, truncates=truncates)
    probabilities_field = _read_logprobs(request, body)
    is_stream = read_flag(body, "stream")
    n_answers = read_n(request, body)
    wants_token_ids = read_flag(body, "return_tokens")
    wants_post_sampling = read_flag(body, "post_sampling_probs")
    if wants_token_ids:
        request.output.tokens = True
    if shape is ApiShape.NOW:
        _ask_for_now(request, is_stream=is_stream, wants_post_sampling=wants_post_sampling)
    extras = read_extras(request, body, is_stream=is_stream)
    bound_candidates(
        request, len(prompts), tokens="n_predict", logprobs=probabilities_field, probabilities=probabilities_field
    )
    return CompletionCall(
        requests=(request,),
        prompts=prompts,
        n_answers=n_answers,
        is_multiple=is_multiple or n_answers > 1,
        is_stream=is_stream,
        timeout_s=read_timeout_s(body),
        constraint_field=constraint_field,
        probabilities_field=probabilities_field,
        extras=extras,
        wants_token_ids=wants_token_ids,
        wants_post_sampling=wants_post_sampling,
        response_fields=read_response_fields(body),
    )


def with_pictures(call: CompletionCall, limits: ImageSupport) -> CompletionCall:
    """The call with its pictures where their markers stand. A prompt with pictures is not repeated in the answer.

    Raises:
        InvalidRequest: as ``place_pictures``.
    """
    placed = place_pictures(call.requests, call.prompts, call.images, limits)
    prompts = tuple(
        replace(prompt, echo="") if pictures.paths else prompt
        for prompt, pictures in zip(call.prompts, placed, strict=True)
    )
    return replace(call, prompts=prompts, pictures=placed)


def rename_fields(failure: RpcFailure, call: CompletionCall) -> RpcFailure:
    """A failure of Generate with the names of the fields in the body, and the number of the prompt among several."""
    prompt = call.prompts[failure.call]
    pictures = call.pictures[failure.call] if call.pictures else Pictures()

    def renamed(path: str) -> str:
        if found := _PROBABILITIES.match(path):
            return call.probabilities_field + path[found.end() :]
        named = pictures.path_in_body(path) or prompt.picture_at(path)
        return named or prompt.path_of(json_name(path_of_constraint(path, call.constraint_field)))

    return of_refused_field(failure).renamed(renamed)


def _read_template(
    body: Mapping[str, object], shape: ApiShape, *, truncates: bool | None
) -> tuple[GenerateRequest, str]:
    """A request without a prompt from a body, and the field that its constraint came from.

    Raises:
        InvalidRequest: an option has a value that is not allowed.
    """
    request = GenerateRequest()
    # Today, what does not fit is refused unless somebody asks for less.
    read_overflow(request, body, truncates=shape is ApiShape.OF_2024 if truncates is None else truncates)
    apply_options(request, body)
    apply_synonyms(request, body)
    apply_shape(request, body, shape)
    if body.get("n_predict") is None:
        read_max_tokens(request, body)
    return request, read_constraints(request, body)


def _ask_for_now(request: GenerateRequest, *, is_stream: bool, wants_post_sampling: bool) -> None:
    """Ask the core for what answers in the shape of today have: the whole prompt, and ids of tokens in streams.

    Probabilities are there those before the samplers, unless the body says otherwise.
    """
    output = request.output
    output.prompt_text = True
    if is_stream:
        output.tokens = True
    if output.n_probs and not wants_post_sampling:
        output.top_logprobs = output.n_probs
        output.ClearField("n_probs")


def _read_logprobs(request: GenerateRequest, body: Mapping[str, object]) -> str:
    """Read ``logprobs``, which is ``n_probs`` by another name, and return the name that counts.

    Clients of chats send false for none.
    """
    value = body.get(_LOGPROBS)
    if value is True:
        raise refusal(_LOGPROBS, value, "a number, as n_probs is; true is for /v1/chat/completions")
    if value is None or value is False or body.get(_N_PROBS) is not None:
        return _N_PROBS
    request.output.n_probs = max(0, read_int(_LOGPROBS, value))
    return _LOGPROBS
