"""POST /embedding: from bodies to inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.embedding_call import (
    MAX_INPUTS,
    EmbeddingCall,
    embed_inputs,
    read_embed_options,
    read_input_field,
)
from rest_adapter.apis.common.embedding_input import read_inputs
from rest_adapter.apis.common.image_data import read_image_data
from rest_adapter.apis.common.options import read_timeout_s
from rest_adapter.apis.common.unsupported import NATIVE_EMBEDDING, refuse_unsupported

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_embedding(body: Mapping[str, object], *, usual_norm: int | None = None) -> EmbeddingCall:
    """Read a body. ``content``, which may also be called ``input``, has the forms of a prompt,
    or is an object with one.

    Args:
        body: the JSON body.
        usual_norm: how vectors are scaled, unless the body says otherwise; see ``read_embed_options``.

    Raises:
        InvalidRequest: a field has a value that is not allowed.
    """
    refuse_unsupported(body, NATIVE_EMBEDDING)
    images = read_image_data(body)
    options, timeout_s = read_embed_options(body, usual_norm), read_timeout_s(body)
    field, value = read_input_field(body, "content")
    prompts = read_inputs(value, field, MAX_INPUTS)
    return EmbeddingCall(
        field=field,
        inputs=embed_inputs(prompts.items),
        is_list=prompts.is_multiple,
        options=options,
        timeout_s=timeout_s,
        prompts=prompts.items,
        images=images,
    )
