"""POST /v1/chat/completions in OpenAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.generation_schema import GENERATION_HEADERS, event, json_text
from rest_adapter.apis.common.picture_schema import image_part
from rest_adapter.apis.common.unsupported import CHAT as UNSUPPORTED_FIELDS
from rest_adapter.apis.common.unsupported_schema import unsupported
from rest_adapter.apis.openai.chat.field_schema import (
    call_of_history,
    conversation_options,
    parts_of_delta,
    parts_of_message,
    reasoning_fields,
    template_variables,
    tool_fields,
)
from rest_adapter.apis.openai.chat.messages import REASONING, SPEAKERS_WITH_TEXT
from rest_adapter.apis.openai.openai_options import MAX_TOP_LOGPROBS
from rest_adapter.apis.openai.openai_schema import (
    ALL_OPTIONS,
    DOES_NOT_FIT,
    FINISH_REASON,
    INPUT_TOKENS_SCHEMAS,
    OPENAI_SCHEMAS,
    OPENAI_STREAM,
    chunk_schema,
    completion_schema,
    openai_options,
)
from rest_adapter.http.media_types import EVENTS, JSON
from rest_adapter.openapi.operation import BODY_ERRORS, GENERATION, MODEL_ERRORS, Operation
from rest_adapter.openapi.operation import TOKENS as TOKENS_TAG
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

if TYPE_CHECKING:
    from collections.abc import Sequence

_NOT_SUPPORTED = "Not supported: refused unless it is empty."
_FINISH_REASONS = [*FINISH_REASON["enum"], "tool_calls"]
_EVENTS = event(either({"const": "[DONE]"}, json_text(ref("ChatCompletionChunk"), ref("OpenAIError"))))


def chat_body() -> Schema:
    options = conversation_options()
    # The template's messages take the place of the system prompt of all slots.
    del options["system_prompt"]
    return body(
        {
            "messages": array(_message(), minItems=1) | {"description": "The conversation so far."},
            **openai_options(),
            **tool_fields(),
            "continue_final_message": option(
                BOOLEAN,
                "Go on with the last message, which must be the assistant's, have text, and call no tools. The answer "
                "is what is added; penalties count the text before it, limits, grammars and stop texts do not. In the "
                "shape of today such a message is continued unless this is false or add_generation_prompt is true.",
                default=False,
            ),
            "max_completion_tokens": option(integer(), "The same as max_tokens, and before it."),
            "max_tokens": option(integer(), "Most tokens of an answer; negative or absent is no limit."),
            "logprobs": option(BOOLEAN, "Tell the log-probability of each token.", default=False),
            "top_logprobs": option(
                integer((0, MAX_TOP_LOGPROBS)),
                "Tell so many of the most probable tokens at each position; above 0 only with logprobs.",
                default=0,
            ),
            "add_generation_prompt": option(
                BOOLEAN, "Begin a turn of the assistant; not together with continue_final_message.", default=True
            ),
            "chat_template_kwargs": template_variables(),
            **reasoning_fields(),
            **options,
            **unsupported(UNSUPPORTED_FIELDS),
        },
        required=("messages",),
    )


def _message() -> Schema:
    text = record({"type": {"const": "text"}, "text": STRING})
    refusal = record({"type": {"const": "refusal"}, "refusal": STRING})
    texts = either(STRING, array(either(STRING, text, image_part())))
    fields = body(
        {
            "role": {
                **STRING,
                "minLength": 1,
                "description": "Who speaks: system, user, assistant, or what else the model's template knows.",
            },
            "content": option(
                either(STRING, array(either(STRING, text, refusal, image_part()))),
                "The text, or its parts in order: texts and pictures. What the assistant refused with is text, too.",
            ),
            "refusal": option(STRING, "What the assistant refused with; it follows the content."),
            "name": option(STRING, "Name of the speaker, for templates that show it."),
            "tool_call_id": option(STRING, "Call that the message answers, for templates that show it."),
            "tool_calls": option(array(call_of_history()), "Calls that the message made, as answers have them."),
            **{
                name: option(STRING, "What the assistant thought before it answered, for templates that show it.")
                for name in REASONING
            },
            "function_call": option({"enum": [{}]}, _NOT_SUPPORTED),
            "audio": option({"enum": [{}]}, _NOT_SUPPORTED),
        },
        required=("role",),
    )
    return fields | {
        "allOf": [
            _if_role(SPEAKERS_WITH_TEXT, {"properties": {"content": texts}, "required": ["content"]}),
            _if_role(("assistant",), {}, {"properties": {"content": either(*texts["anyOf"], NULL)}}),
        ]
    }


def _if_role(roles: Sequence[str], then: Schema, otherwise: Schema | None = None) -> Schema:
    condition = {"if": {"properties": {"role": {"enum": list(roles)}}}, "then": then}
    return condition if otherwise is None else condition | {"else": otherwise}


def _schemas() -> dict[str, Schema]:
    # One entry of a list, and the same with what might have come instead of it.
    logprob: dict[str, Schema] = {"token": STRING, "logprob": NUMBER, "bytes": array(integer((0, 255)))}
    # Today, tokens have their ids, too.
    logprob["id"] = COUNT
    logprobs = record(
        {
            "content": array(
                record({**logprob, "top_logprobs": array(record(logprob, optional=("id",)))}, optional=("id",))
            )
        }
    )
    choice = {
        "finish_reason": {"enum": _FINISH_REASONS},
        "index": COUNT,
        "logprobs": either(logprobs, NULL),
        "message": record(
            {"content": either(STRING, NULL), "refusal": NULL, "role": {"const": "assistant"}, **parts_of_message()},
            optional=parts_of_message(),
        ),
    }
    # The first of a choice has the role, those between have text or a part of a call, the last has the reason.
    parts = {"content": either(STRING, NULL), "role": {"const": "assistant"}, **parts_of_delta()}
    delta = {
        "delta": record(parts, optional=parts),
        "finish_reason": {"enum": [*_FINISH_REASONS, None]},
        "index": COUNT,
        "logprobs": either(logprobs, NULL),
    }
    return {
        **OPENAI_SCHEMAS,
        "ChatCompletion": completion_schema("chat.completion", record(choice)),
        "ChatCompletionChunk": chunk_schema("chat.completion.chunk", record(delta, optional=("logprobs",))),
    }


CHAT = Operation(
    GENERATION,
    "Answer a conversation, in the OpenAI form",
    ALL_OPTIONS + OPENAI_STREAM + DOES_NOT_FIT,
    {200: {JSON: ref("ChatCompletion"), EVENTS: _EVENTS}},
    _schemas(),
    MODEL_ERRORS,
    chat_body,
    headers=GENERATION_HEADERS,
)
APPLY_TEMPLATE = Operation(
    TOKENS_TAG,
    "A conversation as the text of its prompt",
    "Takes a body of /v1/chat/completions, and renders it with the model's chat template. Each picture is "
    "<__image__> there.",
    {200: {JSON: ref("RenderedPrompt")}},
    {"RenderedPrompt": record({"prompt": STRING})},
    (501, *BODY_ERRORS),
    chat_body,
)
CHAT_INPUT_TOKENS = Operation(
    TOKENS_TAG,
    "The tokens of a conversation",
    "Takes a body of /v1/chat/completions, and counts its tokens as usage would.",
    {200: {JSON: ref("InputTokens")}},
    INPUT_TOKENS_SCHEMAS,
    BODY_ERRORS,
    chat_body,
)
