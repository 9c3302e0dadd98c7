"""POST /completion: the request for each prompt of a body."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.common.api_defaults import apply_shape
from rest_adapter.apis.common.candidates import bound_candidates
from rest_adapter.apis.common.constraints import path_of_constraint, read_constraints
from rest_adapter.apis.common.fields import read_bool
from rest_adapter.apis.common.image_data import place_pictures, read_image_data
from rest_adapter.apis.common.max_tokens import read_max_tokens
from rest_adapter.apis.common.options import apply_options, json_name, read_timeout_s
from rest_adapter.apis.common.overflow import read_overflow
from rest_adapter.apis.common.pictures import Pictures
from rest_adapter.apis.common.prompt import Prompt, read_prompts, requests_for
from rest_adapter.apis.common.synonyms import apply_synonyms
from rest_adapter.apis.common.unsupported import NATIVE, refuse_unsupported
from slotline.v1.generation_pb2 import (
    GenerateRequest,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rest_adapter.errors import RpcFailure
    from slotline.v1.model_pb2 import ImageSupport


@dataclass(frozen=True, slots=True)
class CompletionCall:
    """A body of POST /completion or POST /infill.

    Attributes:
        requests: one per prompt.
        prompts: the prompts, in the same order.
        is_multiple: the answer is a list of results.
        is_stream: the answer is a stream of events.
        timeout_s: seconds that the whole generation may take, or None.
        constraint_field: the field that a grammar or a choice came from.
        images: the entries of ``image_data``, which ``with_pictures`` puts into the requests.
        pictures: those of each prompt; none without ``with_pictures``.
    """

    requests: tuple[GenerateRequest, ...]
    prompts: tuple[Prompt, ...]
    is_multiple: bool
    is_stream: bool
    timeout_s: float | None
    constraint_field: str
    images: Sequence[object] = ()
    pictures: tuple[Pictures, ...] = ()


def read_completion(body: Mapping[str, object], *, shape: ApiShape = ApiShape.OF_2024) -> CompletionCall:
    """Read a body.

    Args:
        body: the JSON body.
        shape: whose defaults and ways to write options count.

    Raises:
        InvalidRequest: a field has a value that is not allowed.
    """
    refuse_unsupported(body, NATIVE)
    prompts = read_prompts(body.get("prompt"), takes_pictures=True)
    template, constraint_field = read_template(body, shape)
    bound_candidates(template, len(prompts.items), tokens="n_predict")
    return CompletionCall(
        requests=requests_for(template, prompts),
        prompts=prompts.items,
        is_multiple=prompts.is_multiple,
        is_stream=read_is_stream(body),
        timeout_s=read_timeout_s(body),
        constraint_field=constraint_field,
        images=read_image_data(body),
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
        named = pictures.path_in_body(path) or prompt.picture_at(path)
        return named or prompt.path_of(json_name(path_of_constraint(path, call.constraint_field)))

    return failure.renamed(renamed)


def read_template(body: Mapping[str, object], shape: ApiShape) -> tuple[GenerateRequest, str]:
    """A request without a prompt from a body, and the field that its constraint came from.

    Raises:
        InvalidRequest: an option has a value that is not allowed.
    """
    request = GenerateRequest()
    read_overflow(request, body, truncates=True)
    apply_options(request, body)
    apply_synonyms(request, body)
    apply_shape(request, body, shape)
    if body.get("n_predict") is None:
        read_max_tokens(request, body)
    return request, read_constraints(request, body)


def read_is_stream(body: Mapping[str, object]) -> bool:
    """Whether the body asks for a stream of events."""
    stream = body.get("stream")
    return stream is not None and read_bool("stream", stream)
