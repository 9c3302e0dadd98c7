"""What both routes for embeddings have in common in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.common.embedding_call import RAW, UNIT_LENGTH
from rest_adapter.apis.common.option_schema import timeout
from rest_adapter.json.number_bounds import UINT32
from rest_adapter.openapi.schema_types import Schema, body, integer, option


def inputs_body(properties: dict[str, Schema]) -> Schema:
    """A body that has one of two fields."""
    return body(properties) | {"oneOf": [{"required": ["content"]}, {"required": ["input"]}]}


def embedding_options() -> dict[str, Schema]:
    norms = {"enum": [UNIT_LENGTH, RAW]}
    return {
        "embd_normalize": option(
            norms, f"{UNIT_LENGTH} for vectors of length 1, {RAW} for what the model gives.", default=UNIT_LENGTH
        ),
        "dimensions": option(integer((1, UINT32[1])), "Length of the vectors; only the model's own is possible."),
        "timeout_s": timeout(),
    }
