"""GET and POST /lora-adapters in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.common.adapter_scales import scales_schema
from rest_adapter.http.media_types import JSON
from rest_adapter.openapi.operation import COMMON_ERRORS, MODEL_ERRORS, STATE, Operation
from rest_adapter.openapi.schema_types import COUNT, NUMBER, STRING, Schema, array, record, ref


def scales_body() -> Schema:
    return scales_schema() | {"description": "The scales of some adapters; those of all others become 0."}


LORA_ADAPTERS = Operation(
    STATE,
    "The LoRA adapters of the model",
    "With the scales in force for everybody, unless a request has scales of its own.",
    {200: {JSON: array(ref("LoraAdapter"))}},
    {
        "LoraAdapter": record(
            {"id": COUNT, "path": STRING, "scale": NUMBER, "task_name": STRING, "prompt_prefix": STRING}
        )
    },
    COMMON_ERRORS,
)
SET_LORA_SCALES = Operation(
    STATE,
    "Change the scales of LoRA adapters for everybody",
    "Only while nothing runs or waits, otherwise the answer is 503. What was cached with other scales is forgotten.",
    {200: {JSON: ref("LoraScalesSet")}},
    {"LoraScalesSet": record({"success": {"const": True}})},
    MODEL_ERRORS,
    scales_body,
)
