"""What the OpenAI routes that generate have in common in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.common.answer_now_schema import ANSWER_NOW_SCHEMAS
from rest_adapter.apis.common.generation_schema import PROGRESS_SCHEMAS, STREAM
from rest_adapter.apis.common.number_of_answers import MAX_ANSWERS
from rest_adapter.apis.openai.verbose import KEY, VERBOSE
from rest_adapter.openapi.schema_types import (
    BOOLEAN,
    COUNT,
    NULL,
    STRING,
    Schema,
    array,
    body,
    either,
    integer,
    nullable,
    option,
    record,
    ref,
)

OPENAI_STREAM = STREAM + "Otherwise data: [DONE] is the last event, unless the server was started with --no-sse-done. "
DOES_NOT_FIT = (
    "A prompt that does not fit into a slot's context is refused with 400 and the code context_length_exceeded, unless "
    "truncate says otherwise; then usage counts what was left out. An answer that reaches the end of the context ends "
    "there, with the finish_reason length."
)
ALL_OPTIONS = "Takes every option of /completion besides those of the OpenAI API. "

#: Of a field that is refused unless it is empty.
EMPTY_LIST = array({}, maxItems=0)
FINISH_REASON: Schema = {"enum": ["stop", "length"]}
#: In a chunk: null until the last one of an answer.
FINISH_REASON_OR_NULL: Schema = {"enum": [*FINISH_REASON["enum"], None]}
_VERBOSE = ref("CompletionNow") | {"description": "If it was asked for, at the end of each answer."}
#: What chunks have besides, if it was asked for.
_CHUNK_EXTRAS: dict[str, Schema] = {
    KEY: _VERBOSE,
    "completion_probabilities": array(ref("TokenProbabilities")),
    "prompt_progress": ref("PromptProgress"),
    "system_fingerprint": STRING | {"description": "In the shape of today."},
    "timings": ref("Timings"),
    "usage": either(ref("Usage"), NULL),
}
OPENAI_SCHEMAS: dict[str, Schema] = {
    **ANSWER_NOW_SCHEMAS,
    **PROGRESS_SCHEMAS,
    "Usage": record(
        {
            "completion_tokens": COUNT,
            "prompt_tokens": COUNT,
            "total_tokens": COUNT,
            "prompt_tokens_details": record(
                {
                    "cached_tokens": COUNT,
                    "image_tokens": COUNT | {"description": "Those of prompt_tokens that pictures take, if any."},
                    "truncated_tokens": COUNT
                    | {"description": "Left out because the prompt did not fit; not in prompt_tokens."},
                },
                optional=("image_tokens", "truncated_tokens"),
            ),
            "completion_tokens_details": record({"reasoning_tokens": COUNT}),
        },
        optional=("completion_tokens_details",),
    ),
}
INPUT_TOKENS_SCHEMAS: dict[str, Schema] = {
    "InputTokens": record({"input_tokens": COUNT, "object": {"const": "response.input_tokens"}})
}


def completion_schema(kind: str, choice: Schema) -> Schema:
    """An answer without a stream.

    Args:
        kind: its ``object``.
        choice: one entry of its ``choices``.
    """
    properties = {
        **_envelope(kind),
        "choices": array(choice),
        "usage": ref("Usage"),
        "completion_probabilities": array(ref("TokenProbabilities")),
        "system_fingerprint": _CHUNK_EXTRAS["system_fingerprint"],
        "timings": ref("Timings"),
        KEY: _VERBOSE,
    }
    return record(properties, optional=("completion_probabilities", "system_fingerprint", "timings", KEY))


def chunk_schema(kind: str, choice: Schema) -> Schema:
    """A chunk of a stream; the arguments are those of ``completion_schema``."""
    return record({**_envelope(kind), "choices": array(choice), **_CHUNK_EXTRAS}, optional=_CHUNK_EXTRAS)


def openai_options() -> dict[str, Schema]:
    """The fields of the OpenAI API that both routes have."""
    return {
        "model": option(
            STRING,
            "Repeated in the answer, but not in the shape of today; any name will do. Without one, it is that of "
            "/v1/models.",
        ),
        "n": option(integer((1, MAX_ANSWERS)), "Answers to each prompt.", default=1),
        "n_cmpl": option(integer((1, MAX_ANSWERS)), "The same as n, and before it.", default=1),
        "response_format": option(_response_format(), "Form that the text must have; not together with grammar."),
        "stream_options": option(
            body(
                {
                    "include_usage": option(BOOLEAN, "End with a chunk that counts tokens.", default=False),
                    "continuous_usage_stats": option({"enum": [False]}, "Not supported: refused if it is true."),
                }
            ),
            "What else a stream tells.",
        ),
        VERBOSE: option(
            BOOLEAN,
            f"The answer, or the chunk that ends it, has {KEY}: the answer as /completion gives it in the shape of "
            "today, with the prompt as the model saw it and the settings. In that shape --verbose is the default.",
            default=False,
        ),
        "tools": option(EMPTY_LIST, "Not supported: refused unless it is empty or tool_choice is none."),
        "functions": option(EMPTY_LIST, "Not supported: refused unless it is empty or function_call is none."),
        "tool_choice": option({"enum": ["none", "auto"]}, "With none, tools may be there, and are left out."),
        "function_call": option({"enum": ["none", "auto"]}, "With none, functions may be there, and are left out."),
    }


def _response_format() -> Schema:
    schema: Schema = {"type": "object", "description": "A JSON Schema; {} is any object."}
    wrapper = record({"schema": schema, "strict": nullable(BOOLEAN)}, optional=("strict",))
    return either(
        record({"type": {"const": "text"}}),
        record({"type": {"const": "json_object"}, "schema": nullable(schema)}, optional=("schema",)),
        record({"type": {"const": "json_schema"}, "json_schema": wrapper}),
        record({"type": {"const": "json_schema"}, "json_schema": NULL, "schema": schema}, optional=("json_schema",)),
    )


def _envelope(kind: str) -> dict[str, Schema]:
    return {"created": COUNT, "id": STRING, "model": STRING, "object": {"const": kind}}
