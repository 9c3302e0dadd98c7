"""POST /v1/responses and /v1/responses/input_tokens in OpenAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.common.generation_schema import GENERATION_HEADERS, STREAM
from rest_adapter.apis.common.picture_schema import image_part
from rest_adapter.apis.common.structs import properties_of, schema_of
from rest_adapter.apis.common.unsupported import RESPONSES
from rest_adapter.apis.common.unsupported_schema import unsupported
from rest_adapter.apis.openai.chat.field_schema import conversation_options, reasoning_fields, template_variables
from rest_adapter.apis.openai.chat.reasoning import EFFORT
from rest_adapter.apis.openai.chat.tools import MODES
from rest_adapter.apis.openai.openai_schema import (
    ALL_OPTIONS,
    DOES_NOT_FIT,
    INPUT_TOKENS_SCHEMAS,
)
from rest_adapter.apis.openai.responses.body import ResponseBody
from rest_adapter.apis.openai.responses.event_schema import EVENT_OF_STREAM, RESPONSE_SCHEMAS
from rest_adapter.apis.openai.responses.input_items import IMAGE_PARTS, ITEMS, TEXT_PARTS
from rest_adapter.apis.openai.responses.request import NOT_HERE
from rest_adapter.apis.openai.responses.tools import TOOLS, AllowedTools, NamedTool
from rest_adapter.http.media_types import EVENTS, JSON
from rest_adapter.openapi.operation import BODY_ERRORS, GENERATION, MODEL_ERRORS, Operation
from rest_adapter.openapi.operation import TOKENS as TOKENS_TAG
from rest_adapter.openapi.schema_types import (
    BOOLEAN,
    NULL,
    STRING,
    Schema,
    array,
    body,
    either,
    nullable,
    record,
    ref,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_ABOUT_EVENTS = "An error after the first event is the event response.failed, and the last one. "
_KEEPS_NOTHING = "The server keeps nothing: each request has the whole conversation. "


def response_body() -> Schema:
    options = conversation_options()
    for name in NOT_HERE:
        del options[name]
    reasoning = reasoning_fields()
    del reasoning[EFFORT]
    fields = properties_of(ResponseBody)
    fields["stream"] = options["stream"]
    fields["input"] = _with(fields["input"], STRING, array(either(*map(_item, ITEMS))))
    fields["tools"] = _with(fields["tools"], array(either(*map(schema_of, TOOLS.values()))))
    fields["tool_choice"] = _with(
        fields["tool_choice"], {"enum": list(MODES)}, schema_of(NamedTool), _allowed_tools(schema_of(AllowedTools))
    )
    text = next(one for one in fields["text"]["anyOf"] if "properties" in one)
    text["properties"]["format"] = _with(text["properties"]["format"], *_formats())
    return body(
        {
            **options,
            "chat_template_kwargs": template_variables(),
            **reasoning,
            **unsupported(RESPONSES),
            **fields,
        }
    )


def _with(field: Mapping[str, Schema], *schemas: Schema) -> Schema:
    """A field, with what it may be in more detail than its struct says."""
    return nullable({**field, **either(*schemas)})


def _item(kind: str) -> Schema:
    schema = schema_of(ITEMS[kind])
    for name in ("content", "output"):
        if name in schema["properties"] and kind != "reasoning":
            schema["properties"][name] |= either(STRING, array(_part()))
    return schema


def _part() -> Schema:
    kinds = {key: [kind for kind, place in TEXT_PARTS.items() if place == key] for key in TEXT_PARTS.values()}
    texts = (record({"type": {"enum": names}, key: STRING}) for key, names in kinds.items())
    picture = image_part(IMAGE_PARTS)
    picture["properties"]["file_id"] = NULL
    return either(*texts, picture)


def _allowed_tools(schema: Schema) -> Schema:
    schema["properties"]["tools"] = array(schema_of(NamedTool), minItems=1)
    return schema


def _formats() -> tuple[Schema, ...]:
    schema: Schema = {"type": "object"}
    return (
        record({"type": {"const": "text"}}),
        record({"type": {"const": "json_object"}}),
        record(
            {"type": {"const": "json_schema"}, "name": STRING, "schema": schema, "strict": nullable(BOOLEAN)},
            optional=("name", "strict"),
        ),
    )


RESPONSES_API = Operation(
    GENERATION,
    "Answer an input, in the form of the Responses API",
    _KEEPS_NOTHING + ALL_OPTIONS + STREAM + _ABOUT_EVENTS + DOES_NOT_FIT,
    {200: {JSON: ref("Response"), EVENTS: EVENT_OF_STREAM}},
    RESPONSE_SCHEMAS,
    MODEL_ERRORS,
    response_body,
    headers=GENERATION_HEADERS,
)
INPUT_TOKENS = Operation(
    TOKENS_TAG,
    "The tokens of an input",
    "Takes a body of /v1/responses, and counts its tokens as usage would.",
    {200: {JSON: ref("InputTokens")}},
    INPUT_TOKENS_SCHEMAS,
    BODY_ERRORS,
    response_body,
)
