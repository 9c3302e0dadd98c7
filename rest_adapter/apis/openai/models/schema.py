"""GET /v1/models, and one of them, in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.openai.models.reply_2024 import OWNER
from rest_adapter.http.media_types import JSON
from rest_adapter.openapi.operation import COMMON_ERRORS, STATE, Operation
from rest_adapter.openapi.schema_types import COUNT, STRING, array, either, record, ref

_SCHEMAS = {
    "Model": record(
        {
            "architecture": record({"input_modalities": array(STRING), "output_modalities": array(STRING)})
            | {"description": "Only of models that take more than text."},
            "created": COUNT,
            "id": STRING,
            "object": {"const": "model"},
            "owned_by": {"const": OWNER},
        },
        optional=("architecture",),
    ),
    "ModelNow": record(
        {
            "aliases": array(STRING),
            "created": COUNT,
            "id": STRING,
            "meta": record(
                {
                    "ftype": STRING,
                    "n_ctx": COUNT,
                    "n_ctx_train": COUNT,
                    "n_embd": COUNT,
                    "n_params": COUNT,
                    "n_vocab": COUNT,
                    "size": COUNT,
                    "vocab_type": COUNT,
                }
            ),
            "object": {"const": "model"},
            "owned_by": {"const": OWNER},
            "tags": array(STRING),
        },
    ),
}
_LISTS = {
    "ModelList": record({"data": array(ref("Model")), "object": {"const": "list"}}),
    "ModelListNow": record({"data": array(ref("ModelNow")), "object": {"const": "list"}}),
}

MODELS = Operation(
    STATE,
    "The served models, in the OpenAI form",
    "Requests need not name a model. In the shape of today there are facts about each.",
    {200: {JSON: either(ref("ModelList"), ref("ModelListNow"))}},
    _SCHEMAS | _LISTS,
    (500, 503, 504),
)
ONE_MODEL = Operation(
    STATE,
    "One of the served models, in the OpenAI form",
    "Any name will do, as in chats; it is repeated.",
    {200: {JSON: either(ref("Model"), ref("ModelNow"))}},
    _SCHEMAS,
    COMMON_ERRORS,
    variable={"name": "Name of the model; slashes in it may be written as they are."},
)
