"""What both routes for embeddings have in common in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.common.embedding_call import NORMS
from rest_adapter.apis.common.option_schema import timeout
from rest_adapter.apis.common.prompt_schema import INNER, PROMPT_WITH_PICTURES
from rest_adapter.json.number_bounds import UINT32
from rest_adapter.openapi.schema_types import STRING, Schema, array, body, either, integer, option, record


def inputs_body(properties: dict[str, Schema]) -> Schema:
    """A body that has one of two fields."""
    return body(properties) | {"oneOf": [{"required": ["content"]}, {"required": ["input"]}]}


def input_objects() -> tuple[Schema, ...]:
    """Inputs as objects."""
    part = record({"type": {"const": "text"}, "text": STRING})
    return (
        record({"prompt_string": either(STRING, INNER)}),
        PROMPT_WITH_PICTURES,
        record({"content": array(part)}),
    )


def embedding_options() -> dict[str, Schema]:
    divisors = "; ".join(f"{norm} {about}" for norm, (about, _) in NORMS.items())
    about = f"By what vectors are divided: {divisors}. Default 2, but -1 if each token has a vector (--pooling none)."
    return {
        "embd_normalize": option(integer((min(NORMS), max(NORMS))), about),
        "dimensions": option(integer((1, UINT32[1])), "Length of the vectors; only the model's own is possible."),
        "timeout_s": timeout(),
    }
