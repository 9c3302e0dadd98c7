"""What the bodies of both routes for embeddings have in common."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rest_adapter.apis.common.field_texts import of_refused_field
from rest_adapter.apis.common.fields import read_int, refusal
from rest_adapter.apis.common.image_data import place_pictures
from rest_adapter.apis.common.prompt import Prompt, put_prompt
from rest_adapter.errors import MISSING, InvalidRequest, RpcFailure
from rest_adapter.json.number_bounds import UINT32
from slotline.v1.embedding_pb2 import (
    NORM_EUCLIDEAN,
    NORM_MAX_INT16,
    NORM_NONE,
    NORM_TAXICAB,
    EmbedInput,
    EmbedRequest,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rest_adapter.apis.common.pictures import Pictures
    from slotline.v1.model_pb2 import ImageSupport

#: Inputs of one body, as many as the OpenAI API takes.
MAX_INPUTS = 2048
#: What ``embd_normalize`` may be, by what vectors are divided then, and what the core calls it.
NORMS = {
    -1: ("by nothing: they are as the model gives them", NORM_NONE),
    0: ("by the largest magnitude, times 32760", NORM_MAX_INT16),
    1: ("by the sum of magnitudes", NORM_TAXICAB),
    2: ("by the Euclidean length", NORM_EUCLIDEAN),
}
#: What native clients and those of the OpenAI API call the field with the inputs.
_FIELDS = ("content", "input")


@dataclass(frozen=True, slots=True)
class EmbeddingCall:
    """A body of POST /embedding or POST /v1/embeddings.

    Attributes:
        field: the key of the body that holds the inputs.
        inputs: what to embed, in order.
        is_list: the field holds a list of inputs, and not one.
        options: a request without inputs: what holds for all of them.
        is_base64: the vectors shall be base64 of little-endian float32, and not arrays.
        model: the model's name as the client wrote it.
        timeout_s: seconds that all of it may take, or None.
        prompts: the inputs as the body has them.
        images: the entries of ``image_data``, which ``with_pictures`` puts into the inputs.
        pictures: those of each input; none without ``with_pictures``.
    """

    field: str
    inputs: tuple[EmbedInput, ...]
    is_list: bool
    options: EmbedRequest
    timeout_s: float | None
    prompts: tuple[Prompt, ...]
    is_base64: bool = False
    model: str = ""
    images: Sequence[object] = ()
    pictures: tuple[Pictures, ...] = ()

    def request(self, start: int, end: int) -> EmbedRequest:
        """The request for some of the inputs."""
        request = EmbedRequest()
        request.CopyFrom(self.options)
        request.inputs.extend(self.inputs[start:end])
        return request


def with_pictures(call: EmbeddingCall, limits: ImageSupport) -> EmbeddingCall:
    """The call with its pictures where their markers stand.

    Raises:
        InvalidRequest: as ``place_pictures``.
    """
    return replace(call, pictures=place_pictures(call.inputs, call.prompts, call.images, limits))


def rename_fields(failure: RpcFailure, call: EmbeddingCall, first: int) -> RpcFailure:
    """A failure of Embed that names the fields of the body instead of those of the message.

    Args:
        first: position of the request's first input among all inputs of the call.
    """
    return of_refused_field(failure).renamed(lambda path: _json_path(path, call, first))


def embed_inputs(prompts: Sequence[Prompt]) -> tuple[EmbedInput, ...]:
    """An input for each prompt."""
    inputs = tuple(EmbedInput() for _ in prompts)
    for target, prompt in zip(inputs, prompts, strict=True):
        put_prompt(target, prompt)
    return inputs


def read_embed_options(body: Mapping[str, object], usual_norm: int | None = None) -> EmbedRequest:
    """A request with the options of a body, and without inputs.

    Args:
        body: the JSON body.
        usual_norm: ``embd_normalize`` of bodies that have none, one of ``NORMS``; None for what the core does.

    Raises:
        InvalidRequest: an option has a value that is not allowed.
    """
    request = EmbedRequest()
    value = body.get("embd_normalize")
    norm = usual_norm if value is None else read_int("embd_normalize", value)
    if norm is not None:
        if norm not in NORMS:
            allowed = ", ".join(f"{one} ({about})" for one, (about, _) in NORMS.items())
            raise refusal("embd_normalize", value, f"one of {allowed}")
        request.norm = NORMS[norm][1]
    if body.get("dimensions") is not None:
        request.dimensions = read_int("dimensions", body["dimensions"], (1, UINT32[1]))
    return request


def read_input_field(body: Mapping[str, object], own: str) -> tuple[str, object]:
    """The name and value of the field that holds the inputs.

    Args:
        body: the JSON body.
        own: what the route calls it. The other route's name is taken, too.

    Raises:
        InvalidRequest: there is neither, or both.
    """
    given = [name for name in _FIELDS if body.get(name) is not None]
    if not given:
        empty = [name for name in _FIELDS if name in body]
        name = own if len(empty) != 1 else empty[0]
        raise InvalidRequest(name, "is missing; send what to embed", MISSING)
    if len(given) > 1:
        raise InvalidRequest(given[1], f"is not allowed together with {given[0]}; send one of them")
    return given[0], body[given[0]]


_INPUT = re.compile(r"inputs\[(\d+)\](.*)", re.DOTALL)
_TOKEN = re.compile(r"\.token_ids\.ids(\[\d+\])")


def _json_path(path: str, call: EmbeddingCall, first: int) -> str:
    """The path in the body: for ``inputs[3].token_ids.ids[5]`` ``content[3][5]``, or ``content[5]`` without a list."""
    if path == "norm":
        return "embd_normalize"
    found = _INPUT.match(path)
    if found is None:
        # An input that is too long, or all inputs together.
        return call.field if path in ("inputs", "prompt") else path
    number = int(found[1]) + first
    inside = found[2].removeprefix(".")
    if call.pictures and (named := call.pictures[number].path_in_body(inside)):
        return named
    if named := call.prompts[number].picture_at(inside):
        return named
    # Parts were joined from the array, so their positions are not positions in it.
    token = _TOKEN.match(found[2])
    return call.prompts[number].name + (token[1] if token else "")
