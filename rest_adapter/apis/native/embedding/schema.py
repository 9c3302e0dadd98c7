"""POST /embedding in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.common.embedding_call import MAX_INPUTS
from rest_adapter.apis.common.embedding_schema import embedding_options, inputs_body
from rest_adapter.apis.common.picture_schema import image_data
from rest_adapter.apis.common.prompt_schema import prompts
from rest_adapter.apis.common.unsupported import NATIVE_EMBEDDING
from rest_adapter.apis.common.unsupported_schema import unsupported
from rest_adapter.http.media_types import JSON
from rest_adapter.openapi.operation import EMBEDDING as EMBEDDINGS
from rest_adapter.openapi.operation import MODEL_ERRORS, Operation
from rest_adapter.openapi.schema_types import NULL, NUMBER, Schema, array, either, record, ref


def embedding_body() -> Schema:
    inputs = _without_default(prompts("What to embed", MAX_INPUTS))
    return inputs_body(
        {
            "content": inputs,
            "input": inputs | {"description": "The same as content."},
            "image_data": image_data(),
            **embedding_options(),
            **unsupported(NATIVE_EMBEDDING),
        }
    )


def _without_default(schema: Schema) -> Schema:
    """The same property, but required and not null."""
    kept = {key: value for key, value in schema.items() if key != "default"}
    return kept | {"anyOf": [one for one in schema["anyOf"] if one != NULL]}


EMBEDDING = Operation(
    EMBEDDINGS,
    "Texts as vectors",
    "Without --embedding the answer is 501.",
    {200: {JSON: either(ref("Embedding"), ref("EmbeddingResults"))}},
    {
        "Embedding": record({"embedding": array(NUMBER)}),
        "EmbeddingResults": record({"results": array(ref("Embedding"))}),
    },
    MODEL_ERRORS,
    embedding_body,
)
