"""POST /completion in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.common.generation_schema import (
    GENERATION_HEADERS,
    PROBABILITIES_SCHEMAS,
    STREAM,
    event,
    json_text,
)
from rest_adapter.apis.common.option_schema import native_options
from rest_adapter.apis.common.picture_schema import image_data
from rest_adapter.apis.common.prompt import MAX_PROMPTS
from rest_adapter.apis.common.prompt_schema import REPEATED_PROMPT, prompts
from rest_adapter.apis.common.settings_schema import SETTINGS_SCHEMAS
from rest_adapter.apis.common.unsupported import NATIVE
from rest_adapter.apis.common.unsupported_schema import unsupported
from rest_adapter.http.media_types import EVENTS, JSON
from rest_adapter.openapi.operation import GENERATION, MODEL_ERRORS, Operation
from rest_adapter.openapi.schema_types import (
    BOOLEAN,
    COUNT,
    NUMBER,
    STRING,
    Schema,
    array,
    body,
    either,
    integer,
    option,
    record,
    ref,
)

COMPLETION_EVENTS = event(json_text(ref("CompletionPiece"), ref("Completion"), ref("Error")))


def completion_body() -> Schema:
    return body(
        {
            "prompt": prompts("What to continue", MAX_PROMPTS, takes_pictures=True),
            **native_limits(),
            **native_options(),
            "image_data": image_data(),
            **unsupported(NATIVE),
        }
    )


def native_limits() -> dict[str, Schema]:
    """Other names of ``n_predict``."""
    return {
        name: option(integer(), "The same as n_predict, which comes first.")
        for name in ("max_tokens", "max_completion_tokens")
    }


def _schemas() -> dict[str, Schema]:
    completion: dict[str, Schema] = {
        "completion_probabilities": array(ref("TokenProbabilities")),
        "content": STRING,
        "generation_settings": ref("GenerationSettings"),
        # Which of several prompts a final event belongs to.
        "index": COUNT,
        "model": STRING,
        "prompt": REPEATED_PROMPT,
        "slot_id": COUNT,
        "stop": {"const": True},
        "stopped_eos": BOOLEAN,
        "stopped_limit": BOOLEAN,
        "stopped_word": BOOLEAN,
        "stopping_word": STRING,
        "timings": ref("Timings"),
        "tokens_cached": COUNT,
        "tokens_evaluated": COUNT,
        "tokens_predicted": COUNT,
        "truncated": BOOLEAN,
    }
    piece: dict[str, Schema] = {
        "completion_probabilities": array(ref("TokenProbabilities")),
        "content": STRING,
        "index": COUNT,
        "multimodal": BOOLEAN,
        "slot_id": COUNT,
        "stop": {"const": False},
    }
    optional = ("completion_probabilities", "index")
    spans = ("prompt", "predicted")
    timings = {f"{span}_n": COUNT for span in spans} | {
        f"{span}_{unit}": NUMBER for span in spans for unit in ("ms", "per_token_ms", "per_second")
    }
    return {
        **SETTINGS_SCHEMAS,
        **PROBABILITIES_SCHEMAS,
        "Timings": record(timings),
        "Completion": record(completion, optional),
        "CompletionResults": record({"results": array(ref("Completion"))}),
        "CompletionPiece": record(piece, optional),
    }


COMPLETION_SCHEMAS = _schemas()
COMPLETION = Operation(
    GENERATION,
    "Continue prompts",
    STREAM + "An event per piece of text and a final one per prompt, which is like the answer without stream "
    "but for its empty content; with several prompts each has the prompt's number as index.",
    {200: {JSON: either(ref("Completion"), ref("CompletionResults")), EVENTS: COMPLETION_EVENTS}},
    COMPLETION_SCHEMAS,
    MODEL_ERRORS,
    completion_body,
    headers=GENERATION_HEADERS,
)
