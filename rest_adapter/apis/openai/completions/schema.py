"""POST /v1/completions in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.common.api_option_schema import api_options
from rest_adapter.apis.common.generation_schema import GENERATION_HEADERS, event, json_text
from rest_adapter.apis.common.number_of_answers import MAX_ANSWERS
from rest_adapter.apis.common.prompt import MAX_PROMPTS
from rest_adapter.apis.common.prompt_schema import prompts
from rest_adapter.apis.common.unsupported import TEXT
from rest_adapter.apis.common.unsupported_schema import unsupported
from rest_adapter.apis.openai.completions.request import DEFAULT_MAX_TOKENS, MAX_LOGPROBS, MAX_PROMPT_LOGPROBS
from rest_adapter.apis.openai.openai_schema import (
    ALL_OPTIONS,
    DOES_NOT_FIT,
    EMPTY_LIST,
    FINISH_REASON,
    FINISH_REASON_OR_NULL,
    OPENAI_SCHEMAS,
    OPENAI_STREAM,
    chunk_schema,
    completion_schema,
    openai_options,
)
from rest_adapter.http.media_types import EVENTS, JSON
from rest_adapter.openapi.operation import GENERATION, MODEL_ERRORS, Operation
from rest_adapter.openapi.schema_types import (
    BOOLEAN,
    COUNT,
    NULL,
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

_EVENTS = event(either({"const": "[DONE]"}, json_text(ref("TextCompletionChunk"), ref("OpenAIError"))))


def text_completion_body() -> Schema:
    choices = integer((1, MAX_ANSWERS))
    return body(
        {
            "prompt": prompts("What to continue", MAX_PROMPTS),
            "suffix": option(STRING, "What comes after the text to be made; for models that can fill gaps."),
            **openai_options(),
            "best_of": option(choices, "As many as n: all answers that are made are given."),
            "echo": option(
                BOOLEAN,
                "Begin each answer with its prompt. With logprobs the lists begin with the prompt's tokens, of which "
                f"the first has none; logprobs is {MAX_PROMPT_LOGPROBS} at most then, and suffix is not allowed.",
                default=False,
            ),
            "max_completion_tokens": option(integer(), "The same as max_tokens, and before it."),
            "max_tokens": option(
                integer(),
                "Most tokens of an answer; negative is no limit. Without it n_predict counts if it is given. In the "
                "shape of today the default is the server's --n-predict.",
                default=DEFAULT_MAX_TOKENS,
            ),
            "logprobs": option(
                either(integer((0, MAX_LOGPROBS)), {"const": False}),
                "Tell the log-probability of each token, and so many of the most probable tokens at its position.",
            ),
            "prompt_logprobs": option(
                either(integer((0, MAX_PROMPT_LOGPROBS)), {"const": False}),
                "Tell the log-probability of each token of the prompt, and so many of the most probable tokens at its "
                "place, beside each answer; not in streams, and as many as logprobs if both are given.",
            ),
            "messages": option(EMPTY_LIST, "For /v1/chat/completions only: refused unless it is empty."),
            "top_logprobs": option(integer((0, 0)), "For /v1/chat/completions only: refused unless it is 0."),
            **api_options(),
            **unsupported(TEXT),
        }
    )


def _schemas() -> dict[str, Schema]:
    logprobs = record(
        {
            "text_offset": array(COUNT),
            "token_logprobs": array(either(NUMBER, NULL)),
            "tokens": array(STRING),
            "top_logprobs": array(either({"type": "object", "additionalProperties": NUMBER}, NULL)),
        }
    )
    choice: dict[str, Schema] = {
        "finish_reason": FINISH_REASON,
        "index": COUNT,
        "logprobs": either(logprobs, NULL),
        "text": STRING,
    }
    candidate = record({"decoded_token": STRING, "logprob": NUMBER, "rank": COUNT})
    prompt_logprobs = {
        "prompt_logprobs": array(either({"type": "object", "additionalProperties": candidate}, NULL))
        | {"description": "By token id, for each token of the prompt; nothing for the first."}
    }
    return {
        **OPENAI_SCHEMAS,
        "TextCompletion": completion_schema(
            "text_completion", record(choice | prompt_logprobs, optional=("prompt_logprobs",))
        ),
        "TextCompletionChunk": chunk_schema(
            "text_completion", record(choice | {"finish_reason": FINISH_REASON_OR_NULL})
        ),
    }


TEXT_COMPLETION = Operation(
    GENERATION,
    "Continue prompts, in the OpenAI form",
    ALL_OPTIONS + OPENAI_STREAM + DOES_NOT_FIT,
    {200: {JSON: ref("TextCompletion"), EVENTS: _EVENTS}},
    _schemas(),
    MODEL_ERRORS,
    text_completion_body,
    headers=GENERATION_HEADERS,
)
