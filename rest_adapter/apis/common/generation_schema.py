"""What all routes that generate have in common in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.common.priority import HEADER as PRIORITY_HEADER
from rest_adapter.http.media_types import JSON
from rest_adapter.openapi.schema_types import NUMBER, STRING, Schema, array, either, integer, record
from slotline.protocol.priority import MAX_PRIORITY

PROBABILITIES_SCHEMAS = {
    "TokenProbabilities": record({"content": STRING, "probs": array(record({"prob": NUMBER, "tok_str": STRING}))})
}
GENERATION_HEADERS = {
    PRIORITY_HEADER: integer((-MAX_PRIORITY, MAX_PRIORITY))
    | {
        "description": "Requests of higher priority start first, and take slots from running ones of lower priority, "
        "which go on later.",
        "default": 0,
    }
}
STREAM = (
    "With stream, server-sent events: each has one line of data, a JSON object. An error after the first event is an "
    "event with an error object, and the last one. While nothing comes, a stream may have comments (lines that begin "
    "with a colon, see --sse-ping); the status is 200 then, and what fails is such an event. "
)


def event(data: Schema) -> Schema:
    """One event of a stream. The data of each is JSON."""
    return {
        "type": "object",
        "description": "One server-sent event of the stream.",
        "properties": {"data": data},
        "required": ["data"],
    }


def json_text(*schemas: Schema) -> Schema:
    """JSON text of a value that has one of the schemas."""
    return {**STRING, "contentMediaType": JSON, "contentSchema": either(*schemas)}
