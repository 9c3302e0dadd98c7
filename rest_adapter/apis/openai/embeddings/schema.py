"""POST /v1/embeddings in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.common.embedding_call import MAX_INPUTS
from rest_adapter.apis.common.embedding_schema import embedding_options, input_objects, inputs_body
from rest_adapter.apis.common.picture_schema import image_data
from rest_adapter.apis.common.prompt_schema import INNER, MIXED
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
)

_ABOUT_INPUT = (
    "What to embed: a text, an array with a token id in it, which may have texts too, an object with a prompt_string "
    "or with parts of a text, or an array of these."
)


def openai_embedding_body() -> Schema:
    one = either(STRING, INNER, *input_objects())
    mixed = MIXED | {"contains": {"type": "integer"}}
    inputs = either(STRING, mixed, *input_objects(), array(one, minItems=1, maxItems=MAX_INPUTS))
    return inputs_body(
        {
            "input": inputs | {"description": _ABOUT_INPUT},
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
        "encoding_format": {"const": "base64"},
    }
    return record(
        {
            "data": array(record(entry, optional=("encoding_format",))),
            "model": STRING,
            "object": {"const": "list"},
            "usage": record({"prompt_tokens": COUNT, "total_tokens": COUNT}),
        }
    )


EMBEDDINGS = Operation(
    EMBEDDING,
    "Texts as vectors, in the OpenAI form",
    "Without --embedding the answer is 501. With --pooling none it is 400: answers have one vector for each input.",
    {200: {JSON: ref("EmbeddingList")}},
    {"EmbeddingList": _embedding_list()},
    MODEL_ERRORS,
    openai_embedding_body,
)
