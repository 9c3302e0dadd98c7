"""POST /v1/messages and POST /v1/messages/count_tokens in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.anthropic.messages.body import Body, Tool
from rest_adapter.apis.anthropic.messages.reply import TEXT, THINKING, TOOL_USE
from rest_adapter.apis.anthropic.messages.request import CONTEXT_MANAGEMENT, HARMLESS_EDITS
from rest_adapter.apis.anthropic.messages.tools import CUSTOM, NEEDED_OF_TOOLS
from rest_adapter.apis.common.api_option_schema import api_options
from rest_adapter.apis.common.generation_schema import GENERATION_HEADERS, json_text
from rest_adapter.apis.common.structs import properties_of
from rest_adapter.apis.common.unsupported import MESSAGES as UNSUPPORTED_FIELDS
from rest_adapter.apis.common.unsupported_schema import unsupported
from rest_adapter.http.media_types import EVENTS, JSON
from rest_adapter.openapi.operation import BODY_ERRORS, GENERATION, MODEL_ERRORS, TOKENS, Operation
from rest_adapter.openapi.schema_types import (
    COUNT,
    NULL,
    STRING,
    Schema,
    array,
    body,
    either,
    option,
    record,
    ref,
)

_ABOUT = (
    "Takes every option of /completion besides the fields of the Anthropic API, but for those that this API has under "
    "another name. Fields that would change nothing here are ignored (metadata, cache_control, service_tier, "
    "container, mcp_servers and others), and blocks of documents are refused. A first line of the "
    "instructions that says who pays (x-anthropic-billing-header) is left out. "
)
_STREAM = (
    "With stream, server-sent events, each with its type as its name: message_start, for each block "
    "content_block_start, content_block_delta and content_block_stop, then message_delta and message_stop. An error "
    "after the first event is an event, and the last one. While nothing comes, a stream may have events of type ping "
    "(see --sse-ping); the status is 200 then, and what fails is an event error. "
)
_ENDS = (
    "A prompt that does not fit into a slot's context is refused, unless truncate says otherwise. An answer that "
    "reaches the end of the context ends there. A call that was cut off by the limit on tokens is left out of an "
    "answer without a stream."
)
_STOP_REASONS = ["end_turn", "max_tokens", "stop_sequence", "tool_use", "model_context_window_exceeded"]
_USAGE = record(
    {
        "input_tokens": COUNT,
        "cache_creation_input_tokens": {"const": 0},
        "cache_read_input_tokens": COUNT,
        "output_tokens": COUNT,
        "output_tokens_details": record({"thinking_tokens": COUNT}),
    },
    optional=("output_tokens_details",),
)


def messages_body() -> Schema:
    options = api_options()
    for name in ("system_prompt", "n_predict", "n_probs"):
        del options[name]
    options["penalty_prompt"] |= {"default": []}
    edit = record({"type": {**STRING, "pattern": f"^{HARMLESS_EDITS}"}})
    edits = body({"edits": option(array(edit), "What to leave out.", default=[])})
    return body(
        {
            **options,
            CONTEXT_MANAGEMENT: option(edits, "Earlier thoughts may be left out, as templates do; no other edits."),
            **unsupported(UNSUPPORTED_FIELDS),
            **_own_fields(),
        },
        required=("messages",),
    )


def _own_fields() -> dict[str, Schema]:
    fields = properties_of(Body)
    # What a tool needs depends on its type.
    fields["tools"]["anyOf"][0]["items"] = either(_client_tool(), _server_tool())
    return fields


def _client_tool() -> Schema:
    fields = properties_of(Tool) | {"type": {"enum": [CUSTOM, None]}}
    for name in NEEDED_OF_TOOLS:
        fields[name] = next(form for form in fields[name]["anyOf"] if form != NULL)
    return body(fields, required=NEEDED_OF_TOOLS)


def _server_tool() -> Schema:
    return body(properties_of(Tool) | {"type": {**STRING, "not": {"const": CUSTOM}}}, required=("type",))


def _message(content: Schema, reason: Schema) -> Schema:
    return record(
        {
            "id": STRING,
            "type": {"const": "message"},
            "role": {"const": "assistant"},
            "model": STRING,
            "content": content,
            "stop_reason": reason,
            "stop_sequence": either(STRING, NULL),
            "usage": _USAGE,
        }
    )


def _typed(kind: str, **fields: Schema) -> Schema:
    return record({"type": {"const": kind}, **fields})


def _schemas() -> dict[str, Schema]:
    blocks = array(
        either(
            _typed(TEXT, text=STRING),
            _typed(THINKING, thinking=STRING, signature=STRING),
            _typed(TOOL_USE, id=STRING, name=STRING, input={"type": "object"}),
        )
    )
    beginning = either(
        _typed(TEXT, text={"const": ""}),
        _typed(THINKING, thinking={"const": ""}, signature={"const": ""}),
        _typed(TOOL_USE, id=STRING, name=STRING, input={"const": {}}),
    )
    delta = either(
        _typed("text_delta", text=STRING),
        _typed("thinking_delta", thinking=STRING),
        _typed("signature_delta", signature=STRING),
        _typed("input_json_delta", partial_json=STRING),
    )
    stop = record({"stop_reason": {"enum": _STOP_REASONS}, "stop_sequence": either(STRING, NULL)})
    events = either(
        _typed("message_start", message=_message(array({}, maxItems=0), NULL)),
        _typed("content_block_start", index=COUNT, content_block=beginning),
        _typed("content_block_delta", index=COUNT, delta=delta),
        _typed("content_block_stop", index=COUNT),
        _typed("message_delta", delta=stop, usage=_USAGE),
        _typed("message_stop"),
        _typed("ping"),
    )
    return {"Message": _message(blocks, {"enum": _STOP_REASONS}), "MessageEvent": events}


def _named_event() -> Schema:
    return {
        "type": "object",
        "description": "One server-sent event of the stream; its name is the type of its data.",
        "properties": {"event": STRING, "data": json_text(ref("MessageEvent"), ref("AnthropicError"))},
        "required": ["event", "data"],
    }


MESSAGES = Operation(
    GENERATION,
    "Answer a conversation, in the Anthropic form",
    _ABOUT + _STREAM + _ENDS,
    {200: {JSON: ref("Message"), EVENTS: _named_event()}},
    _schemas(),
    MODEL_ERRORS,
    messages_body,
    headers=GENERATION_HEADERS,
)
COUNT_TOKENS = Operation(
    TOKENS,
    "The tokens of a conversation, in the Anthropic form",
    "Counts the prompt that the same body makes for /v1/messages: with its instructions and tools, cached or not.",
    {200: {JSON: ref("MessageTokens")}},
    {"MessageTokens": record({"input_tokens": COUNT})},
    BODY_ERRORS,
    messages_body,
)
