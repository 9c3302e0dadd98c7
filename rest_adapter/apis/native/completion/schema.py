"""POST /completion in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.common.candidates import MAX_CANDIDATES
from rest_adapter.apis.common.generation_schema import (
    GENERATION_HEADERS,
    STREAM,
    event,
    json_text,
)
from rest_adapter.apis.common.number_of_answers import MAX_ANSWERS
from rest_adapter.apis.common.option_schema import native_options
from rest_adapter.apis.common.picture_schema import image_data
from rest_adapter.apis.common.prompt import MAX_PROMPTS
from rest_adapter.apis.common.prompt_schema import REPEATED_PROMPT, prompts
from rest_adapter.apis.common.settings_schema import SETTINGS_SCHEMAS
from rest_adapter.apis.common.unsupported import NATIVE
from rest_adapter.apis.common.unsupported_schema import unsupported
from rest_adapter.apis.native.completion.response_fields import FIELDS, MAX_FIELDS
from rest_adapter.apis.native.completion.schema_now import COMPLETION_NOW_SCHEMAS
from rest_adapter.http.media_types import EVENTS, JSON
from rest_adapter.json.number_bounds import INT32
from rest_adapter.openapi.operation import GENERATION, MODEL_ERRORS, Operation
from rest_adapter.openapi.schema_types import (
    BOOLEAN,
    COUNT,
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

_PROBABILITIES = either(ref("TokenProbabilities"), ref("PostSamplingProbabilities"))
_ANSWER = either(ref("Completion"), ref("CompletionNow"), ref("CompletionFields"))
COMPLETION_EVENTS = event(json_text(ref("CompletionPiece"), ref("CompletionPieceNow"), _ANSWER, ref("Error")))
COMPLETION_ANSWER = either(_ANSWER, ref("CompletionResults"), array(_ANSWER))


def completion_body() -> Schema:
    return body(
        {
            "prompt": prompts("What to continue", MAX_PROMPTS, takes_pictures=True),
            **native_limits(),
            **native_options(),
            **native_output(),
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


def native_output() -> dict[str, Schema]:
    """Fields that add to answers, or leave something out."""
    return {
        "n_cmpl": option(integer((1, MAX_ANSWERS)), "Answers to each prompt.", default=1),
        "n": option(integer((1, MAX_ANSWERS)), "The same as n_cmpl, which comes first.", default=1),
        "logprobs": option(
            either(integer((INT32[0], MAX_CANDIDATES)), {"const": False}), "The same as n_probs, which comes first."
        ),
        "return_tokens": option(BOOLEAN, "Tell the ids of the tokens, as tokens.", default=False),
        "post_sampling_probs": option(
            BOOLEAN,
            "With n_probs: tell probabilities after the samplers in the form of today, without tokens that a sampler "
            "removed.",
            default=False,
        ),
        FIELDS: option(
            array(STRING, maxItems=MAX_FIELDS),
            "The only fields that answers are to have. A path, such as timings/predicted_n, is also the name of its "
            "value; what an answer does not have is left out.",
            default=[],
        ),
    }


def _schemas() -> dict[str, Schema]:
    completion: dict[str, Schema] = {
        "completion_probabilities": array(_PROBABILITIES),
        "content": STRING,
        "generation_settings": ref("GenerationSettings"),
        # Which of several answers a final event belongs to.
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
        "tokens": array(COUNT),
        "tokens_cached": COUNT,
        "tokens_evaluated": COUNT,
        "tokens_predicted": COUNT,
        "truncated": BOOLEAN,
    }
    piece: dict[str, Schema] = {
        "completion_probabilities": array(_PROBABILITIES),
        "content": STRING,
        "index": COUNT,
        "multimodal": BOOLEAN,
        "prompt_progress": ref("PromptProgress"),
        "slot_id": COUNT,
        "stop": {"const": False},
        "timings": ref("Timings"),
        "tokens": array(COUNT),
    }
    whole = record(completion, ("completion_probabilities", "index", "tokens"))
    optional = ("completion_probabilities", "index", "prompt_progress", "timings", "tokens")
    return {
        **SETTINGS_SCHEMAS,
        **COMPLETION_NOW_SCHEMAS,
        "Completion": whole,
        "CompletionFields": {
            "type": "object",
            "description": "What response_fields asks for, by its paths.",
            # Whole answers have all of these, in either shape.
            "not": {"required": ["content", "generation_settings", "model", "prompt", "stop", "timings", "truncated"]},
        },
        "CompletionResults": record({"results": array(_ANSWER)}),
        "CompletionPiece": record(piece, optional),
    }


COMPLETION_SCHEMAS = _schemas()
COMPLETION = Operation(
    GENERATION,
    "Continue prompts",
    STREAM + "An event per piece of text and a final one per answer, which is like the answer without stream "
    "but for its empty content; with several prompts or answers each has its number as index, prompt by prompt. In the "
    "shape of today several answers are an array, and a prompt that does not fit is refused unless truncate says "
    "otherwise.",
    {200: {JSON: COMPLETION_ANSWER, EVENTS: COMPLETION_EVENTS}},
    COMPLETION_SCHEMAS,
    MODEL_ERRORS,
    completion_body,
    headers=GENERATION_HEADERS,
)
