"""POST /embedding in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.common.embedding_call import MAX_INPUTS
from rest_adapter.apis.common.embedding_schema import embedding_options, input_objects, inputs_body
from rest_adapter.apis.common.picture_schema import image_data
from rest_adapter.apis.common.prompt_schema import INNER, prompts
from rest_adapter.apis.common.unsupported import NATIVE_EMBEDDING
from rest_adapter.apis.common.unsupported_schema import unsupported
from rest_adapter.http.media_types import JSON
from rest_adapter.openapi.operation import EMBEDDING as EMBEDDINGS
from rest_adapter.openapi.operation import MODEL_ERRORS, Operation
from rest_adapter.openapi.schema_types import COUNT, NULL, NUMBER, STRING, Schema, array, either, record, ref


def embedding_body() -> Schema:
    inputs = _with_objects(prompts("What to embed", MAX_INPUTS))
    return inputs_body(
        {
            "content": inputs,
            "input": inputs | {"description": "The same as content."},
            "image_data": image_data(),
            **embedding_options(),
            **unsupported(NATIVE_EMBEDDING),
        }
    )


def _with_objects(schema: Schema) -> Schema:
    """The same property, but required and not null; inputs may be objects."""
    kept = {key: value for key, value in schema.items() if key != "default"}
    one = either(STRING, INNER, *input_objects())
    several = array(one, maxItems=MAX_INPUTS) | {"contains": {"type": "object"}}
    return kept | {"anyOf": [*(form for form in schema["anyOf"] if form != NULL), *input_objects(), several]}


EMBEDDING = Operation(
    EMBEDDINGS,
    "Texts as vectors",
    "Without --embedding the answer is 501. In the shape of today, or if each token has a vector (--pooling none), the "
    "answer is an array with all vectors of each input.",
    {200: {JSON: either(ref("Embedding"), ref("EmbeddingResults"), ref("EmbeddingRows"))}},
    {
        "Embedding": record({"embedding": array(NUMBER)}),
        "EmbeddingResults": record({"results": array(ref("Embedding"))}),
        "EmbeddingRows": array(record({"index": COUNT, "embedding": array(array(NUMBER))})),
    },
    MODEL_ERRORS,
    embedding_body,
)
