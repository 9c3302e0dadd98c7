"""Answers of POST /v1/responses in OpenAPI, and the events of its streams."""

from __future__ import annotations

from rest_adapter.apis.common.generation_schema import PROGRESS_SCHEMAS, TIMINGS_SCHEMAS, event, json_text
from rest_adapter.openapi.schema_types import (
    BOOLEAN,
    COUNT,
    NULL,
    NUMBER,
    STRING,
    Schema,
    array,
    either,
    integer,
    record,
    ref,
)

_STATUS: Schema = {"enum": ["in_progress", "completed", "incomplete"]}
_EMPTY: Schema = {"type": "array", "maxItems": 0}
_OBJECT: Schema = {"type": "object"}
_LOGPROB: dict[str, Schema] = {"token": STRING, "logprob": NUMBER, "bytes": array(integer((0, 255)))}
_LOGPROBS = array(record({**_LOGPROB, "top_logprobs": array(record(_LOGPROB))}))
_TEXT_PART = record(
    {"type": {"const": "output_text"}, "text": STRING, "annotations": _EMPTY, "logprobs": _LOGPROBS},
)
_THOUGHT = record({"type": {"const": "reasoning_text"}, "text": STRING})


def _items() -> list[Schema]:
    common: dict[str, Schema] = {"id": STRING, "status": _STATUS}
    call: dict[str, Schema] = {**common, "call_id": STRING, "name": STRING}
    return [
        record({"type": {"const": "reasoning"}, **common, "summary": _EMPTY, "content": array(_THOUGHT)}),
        record(
            {"type": {"const": "message"}, **common, "role": {"const": "assistant"}, "content": array(_TEXT_PART)},
        ),
        record({"type": {"const": "function_call"}, **call, "arguments": STRING}),
        record({"type": {"const": "custom_tool_call"}, **call, "input": STRING}),
    ]


def _response() -> Schema:
    usage = record(
        {
            "input_tokens": COUNT,
            "input_tokens_details": record(
                {"cached_tokens": COUNT, "truncated_tokens": COUNT}, optional=("truncated_tokens",)
            ),
            "output_tokens": COUNT,
            "output_tokens_details": record({"reasoning_tokens": COUNT}),
            "total_tokens": COUNT,
        }
    )
    return record(
        {
            "created_at": COUNT,
            "error": either(record({"code": STRING, "message": STRING}), NULL),
            "id": STRING,
            "incomplete_details": either(record({"reason": {"const": "max_output_tokens"}}), NULL),
            "instructions": either(STRING, NULL),
            "max_output_tokens": either(COUNT, NULL),
            "metadata": _OBJECT,
            "model": STRING,
            "object": {"const": "response"},
            "output": array(ref("OutputItem")),
            "parallel_tool_calls": BOOLEAN,
            "previous_response_id": NULL,
            "reasoning": record({"effort": either(STRING, NULL), "summary": either(STRING, NULL)}),
            "status": {"enum": [*_STATUS["enum"], "failed"]},
            "store": {"const": False},
            # A number may have been sent as true or false.
            "temperature": either(NUMBER, BOOLEAN),
            "text": record({"format": _OBJECT}),
            "tool_choice": either(STRING, _OBJECT),
            "tools": array(_OBJECT),
            "top_logprobs": COUNT,
            "top_p": either(NUMBER, BOOLEAN),
            "truncation": {"enum": ["auto", "disabled"]},
            "usage": either(usage, NULL),
            "timings": ref("Timings"),
        },
        optional=("timings",),
    )


def _events() -> list[Schema]:
    response: dict[str, Schema] = {"response": ref("Response")}
    item: dict[str, Schema] = {"output_index": COUNT, "item": ref("OutputItem")}
    place: dict[str, Schema] = {"item_id": STRING, "output_index": COUNT}
    part: dict[str, Schema] = {**place, "content_index": {"const": 0}}
    delta: dict[str, Schema] = {"delta": STRING}
    fields: dict[str, dict[str, Schema]] = {
        **{f"response.{word}": response for word in ("created", "in_progress", "completed", "incomplete", "failed")},
        **{f"response.output_item.{word}": item for word in ("added", "done")},
        **{
            f"response.content_part.{word}": {**part, "part": either(_TEXT_PART, _THOUGHT)}
            for word in ("added", "done")
        },
        "response.reasoning_text.delta": {**part, **delta},
        "response.reasoning_text.done": {**part, "text": STRING},
        "response.output_text.delta": {**part, **delta, "logprobs": _LOGPROBS},
        "response.output_text.done": {**part, "text": STRING, "logprobs": _LOGPROBS},
        "response.function_call_arguments.delta": {**place, **delta},
        "response.function_call_arguments.done": {**place, "arguments": STRING, "name": STRING},
        "response.custom_tool_call_input.delta": {**place, **delta},
        "response.custom_tool_call_input.done": {**place, "input": STRING},
    }
    common: dict[str, Schema] = {"sequence_number": COUNT, "timings": ref("Timings")}
    events = {kind: {"type": {"const": kind}, **common, **more} for kind, more in fields.items()}
    events["response.in_progress"]["prompt_progress"] = ref("PromptProgress")
    return [record(more, optional=("prompt_progress", "timings")) for more in events.values()]


RESPONSE_SCHEMAS: dict[str, Schema] = {
    "OutputItem": either(*_items()),
    "Response": _response(),
    "ResponseEvent": either(*_events()),
    **PROGRESS_SCHEMAS,
    **TIMINGS_SCHEMAS,
}
EVENT_OF_STREAM = event(json_text(ref("ResponseEvent")))
