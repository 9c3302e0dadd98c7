"""POST /v1/embeddings in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.common.embedding_call import MAX_INPUTS
from rest_adapter.apis.common.embedding_schema import embedding_options, inputs_body
from rest_adapter.apis.common.picture_schema import image_data
from rest_adapter.apis.common.prompt_schema import TOKENS
from rest_adapter.apis.common.unsupported import EMBEDDING as UNSUPPORTED_FIELDS
from rest_adapter.apis.common.unsupported_schema import unsupported
from rest_adapter.apis.openai.embeddings.request import UNNAMED_MODEL
from rest_adapter.http.media_types import JSON
from rest_adapter.openapi.operation import EMBEDDING, MODEL_ERRORS, Operation
from rest_adapter.openapi.schema_types import (
    COUNT,
    NUMBER,
    STRING,
    Schema,
    array,
    either,
    option,
    record,
    ref,
    token_id,
)


def openai_embedding_body() -> Schema:
    one = either(STRING, TOKENS)
    inputs = either(STRING, array(token_id(), minItems=1), array(one, minItems=1, maxItems=MAX_INPUTS))
    return inputs_body(
        {
            "input": inputs | {"description": "What to embed: a text, token ids, or several of these."},
            "content": inputs | {"description": "The same as input."},
            "model": option(STRING, "Repeated in the answer; any name will do.", default=UNNAMED_MODEL),
            "encoding_format": option(
                {"enum": ["float", "base64"]},
                "Vectors as arrays, or as base64 of little-endian float32.",
                default="float",
            ),
            "image_data": image_data(),
            **embedding_options(),
            **unsupported(UNSUPPORTED_FIELDS),
        }
    )


def _embedding_list() -> Schema:
    entry: dict[str, Schema] = {
        "embedding": either(array(NUMBER), STRING),
        "index": COUNT,
        "object": {"const": "embedding"},
    }
    return record(
        {
            "data": array(record(entry)),
            "model": STRING,
            "object": {"const": "list"},
            "usage": record({"prompt_tokens": COUNT, "total_tokens": COUNT}),
        }
    )


EMBEDDINGS = Operation(
    EMBEDDING,
    "Texts as vectors, in the OpenAI form",
    "Without --embedding the answer is 501.",
    {200: {JSON: ref("EmbeddingList")}},
    {"EmbeddingList": _embedding_list()},
    MODEL_ERRORS,
    openai_embedding_body,
)
