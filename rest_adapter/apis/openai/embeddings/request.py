"""POST /v1/embeddings: from bodies to inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.embedding_call import (
    MAX_INPUTS,
    EmbeddingCall,
    embed_inputs,
    read_embed_options,
    read_input_field,
)
from rest_adapter.apis.common.embedding_input import read_input
from rest_adapter.apis.common.fields import read_str, refusal
from rest_adapter.apis.common.image_data import read_image_data
from rest_adapter.apis.common.options import read_timeout_s
from rest_adapter.apis.common.prompt import Prompt, is_number
from rest_adapter.apis.common.unsupported import EMBEDDING, refuse_unsupported
from rest_adapter.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Mapping


#: What answers call a model that the request did not name.
UNNAMED_MODEL = "gpt-3.5-turbo-0613"


def read_openai_embeddings(body: Mapping[str, object]) -> EmbeddingCall:
    """Read a body.

    ``input``, which may also be called ``content``, is one input or an array of them. An array with a number in it is
    one input of texts and token ids.

    Raises:
        InvalidRequest: a field has a value that is not allowed.
    """
    refuse_unsupported(body, EMBEDDING)
    model = UNNAMED_MODEL if body.get("model") is None else read_str("model", body["model"])
    options, timeout_s = read_embed_options(body), read_timeout_s(body)
    is_base64 = _read_is_base64(body.get("encoding_format"))
    images = read_image_data(body)
    field, value = read_input_field(body, "input")
    is_list = isinstance(value, list) and not any(map(is_number, value))
    prompts = _read_list(field, value) if is_list else (read_input(field, value),)
    return EmbeddingCall(
        field=field,
        inputs=embed_inputs(prompts),
        is_list=is_list,
        options=options,
        timeout_s=timeout_s,
        prompts=prompts,
        images=images,
        is_base64=is_base64,
        model=model,
    )


def _read_list(field: str, values: object) -> tuple[Prompt, ...]:
    if not isinstance(values, list) or not values:
        raise InvalidRequest(field, "[] is empty; at least one input is needed")
    if len(values) > MAX_INPUTS:
        raise InvalidRequest(field, f"{len(values)} inputs are more than the {MAX_INPUTS} allowed")
    return tuple(read_input(f"{field}[{i}]", value) for i, value in enumerate(values))


def _read_is_base64(value: object) -> bool:
    if value not in (None, "float", "base64"):
        raise refusal("encoding_format", value, '"float" or "base64"')
    return value == "base64"
