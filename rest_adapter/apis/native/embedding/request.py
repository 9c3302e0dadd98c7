"""POST /embedding and POST /v1/embeddings: from JSON to inputs. ``embedding_reply`` has the way back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rest_adapter.apis.common.fields import read_int, read_str, refusal
from rest_adapter.apis.common.options import check_image_data, read_timeout_s
from rest_adapter.apis.common.prompt import Prompt, put_prompt, read_prompt, read_prompts
from rest_adapter.apis.common.unsupported import EMBEDDING, NATIVE_EMBEDDING, refuse_unsupported
from rest_adapter.errors import MISSING, InvalidRequest, RpcFailure
from rest_adapter.json.number_bounds import UINT32
from slotline.v1.embedding_pb2 import EmbedInput, EmbedRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# As many as the OpenAI API takes.
MAX_INPUTS = 2048
# What answers in the OpenAI form call a model that the request did not name.
UNNAMED_MODEL = "gpt-3.5-turbo-0613"

RAW, UNIT_LENGTH = -1, 2
# Native clients and those of the OpenAI API have different names for what is to be embedded.
_FIELDS = ("content", "input")


@dataclass(frozen=True, slots=True)
class EmbeddingCall:
    """A body of POST /embedding or POST /v1/embeddings, understood.

    Attributes:
        field: the key of the body that holds the inputs.
        inputs: what to embed, in order.
        is_list: the field holds a list of inputs, and not one.
        options: a request without inputs: what holds for all of them.
        is_base64: the vectors shall be base64 of little-endian float32, and not arrays.
        model: the model's name as the client wrote it.
        timeout_s: seconds that all of it may take, or None.
    """

    field: str
    inputs: tuple[EmbedInput, ...]
    is_list: bool
    options: EmbedRequest
    timeout_s: float | None
    is_base64: bool = False
    model: str = ""

    def request(self, start: int, end: int) -> EmbedRequest:
        """The request for some of the inputs."""
        request = EmbedRequest()
        request.CopyFrom(self.options)
        request.inputs.extend(self.inputs[start:end])
        return request


def read_embedding(body: Mapping[str, object]) -> EmbeddingCall:
    """Understand a body of POST /embedding. ``content``, which may also be called ``input``, has the forms of a prompt.

    Raises:
        InvalidRequest: a field has a value that is not allowed.
    """
    refuse_unsupported(body, NATIVE_EMBEDDING)
    if body.get("image_data") is not None:
        check_image_data("image_data", body["image_data"])
    options, timeout_s = _read_options(body), read_timeout_s(body)
    field, value = _read_field(body, "content")
    prompts = read_prompts(value, field, MAX_INPUTS)
    return EmbeddingCall(
        field=field,
        inputs=_inputs(prompts.items),
        is_list=prompts.is_multiple,
        options=options,
        timeout_s=timeout_s,
    )


def read_openai_embeddings(body: Mapping[str, object]) -> EmbeddingCall:
    """Understand a body of POST /v1/embeddings.

    ``input``, which may also be called ``content``, is a string, an array of token ids, or an array of these.

    Raises:
        InvalidRequest: a field has a value that is not allowed.
    """
    refuse_unsupported(body, EMBEDDING)
    model = UNNAMED_MODEL if body.get("model") is None else read_str("model", body["model"])
    options, timeout_s = _read_options(body), read_timeout_s(body)
    is_base64 = _read_is_base64(body.get("encoding_format"))
    field, value = _read_field(body, "input")
    is_list = isinstance(value, list) and not _is_token_array(value)
    return EmbeddingCall(
        field=field,
        inputs=_inputs(_read_list(field, value) if is_list else (_read_one(field, value),)),
        is_list=is_list,
        options=options,
        timeout_s=timeout_s,
        is_base64=is_base64,
        model=model,
    )


def rename_fields(failure: RpcFailure, call: EmbeddingCall, first: int) -> RpcFailure:
    """A failure of Embed that names the fields of the body instead of those of the message.

    Args:
        first: position of the request's first input among all inputs of the call.
    """
    return failure.renamed(lambda path: _json_path(path, call, first))


def _inputs(prompts: Sequence[Prompt]) -> tuple[EmbedInput, ...]:
    inputs = tuple(EmbedInput() for _ in prompts)
    for target, prompt in zip(inputs, prompts, strict=True):
        put_prompt(target, prompt)
    return inputs


def _read_options(body: Mapping[str, object]) -> EmbedRequest:
    request = EmbedRequest()
    value = body.get("embd_normalize")
    if value is not None:
        norm = read_int("embd_normalize", value)
        if norm not in (RAW, UNIT_LENGTH):
            allowed = f"{UNIT_LENGTH} (vectors of length 1, the default) or {RAW} (as the model gives them)"
            raise refusal("embd_normalize", value, allowed)
        request.normalize = norm == UNIT_LENGTH
    if body.get("dimensions") is not None:
        request.dimensions = read_int("dimensions", body["dimensions"], (1, UINT32[1]))
    return request


def _read_field(body: Mapping[str, object], own: str) -> tuple[str, object]:
    """The name and the value of what holds the inputs: the route's own field, or the one of the other route."""
    given = [name for name in _FIELDS if body.get(name) is not None]
    if not given:
        empty = [name for name in _FIELDS if name in body]
        name = own if len(empty) != 1 else empty[0]
        raise InvalidRequest(name, "is missing; send what to embed", MISSING)
    if len(given) > 1:
        raise InvalidRequest(given[1], f"is not allowed together with {given[0]}; send one of them")
    return given[0], body[given[0]]


def _read_list(field: str, values: object) -> tuple[Prompt, ...]:
    if not isinstance(values, list) or not values:
        raise InvalidRequest(field, "[] is empty; at least one input is needed")
    if len(values) > MAX_INPUTS:
        raise InvalidRequest(field, f"{len(values)} inputs are more than the {MAX_INPUTS} allowed")
    return tuple(_read_one(f"{field}[{i}]", value) for i, value in enumerate(values))


def _read_one(name: str, value: object) -> Prompt:
    if isinstance(value, str):
        return read_prompt(name, value)
    if isinstance(value, list) and not any(isinstance(item, str) for item in value):
        return read_prompt(name, value)
    raise refusal(name, value, "a string or an array of token ids")


def _is_token_array(value: list[object]) -> bool:
    """Whether an array is one tokenised input: its elements are numbers."""
    return bool(value) and isinstance(value[0], int | float) and not isinstance(value[0], bool)


def _read_is_base64(value: object) -> bool:
    if value not in (None, "float", "base64"):
        raise refusal("encoding_format", value, '"float" or "base64"')
    return value == "base64"


_INPUT = re.compile(r"inputs\[(\d+)\](.*)", re.DOTALL)
_TOKEN = re.compile(r"\.token_ids\.ids(\[\d+\])")


def _json_path(path: str, call: EmbeddingCall, first: int) -> str:
    """``inputs[3].token_ids.ids[5]`` is ``content[3][5]``, or ``content[5]`` if there is only one."""
    if path == "normalize":
        return "embd_normalize"
    found = _INPUT.match(path)
    if found is None:
        # The prompt of a request that is too long, or all inputs together.
        return call.field if path in ("inputs", "prompt") else path
    position = f"[{int(found[1]) + first}]" if call.is_list else ""
    # Positions among the parts say nothing about positions in the array that they were made of.
    token = _TOKEN.match(found[2])
    return call.field + position + (token[1] if token else "")
