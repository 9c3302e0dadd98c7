"""What all routes that generate have in common in OpenAPI."""

from __future__ import annotations

from rest_adapter.apis.common.priority import HEADER as PRIORITY_HEADER
from rest_adapter.http.media_types import JSON
from rest_adapter.openapi.schema_types import COUNT, NUMBER, STRING, Schema, array, either, integer, record
from slotline.protocol.priority import MAX_PRIORITY

_NAMED: dict[str, Schema] = {"bytes": array(integer((0, 255))), "id": COUNT, "token": STRING}
_PROB: dict[str, Schema] = {**_NAMED, "prob": NUMBER}
_LOGPROB: dict[str, Schema] = {**_NAMED, "logprob": NUMBER}
PROBABILITIES_SCHEMAS = {
    "TokenLogprobs": record({**_LOGPROB, "top_logprobs": array(record(_LOGPROB))}),
    "PostSamplingProbabilities": record({**_PROB, "top_probs": array(record(_PROB))}),
    "TokenProbabilities": record({"content": STRING, "probs": array(record({"prob": NUMBER, "tok_str": STRING}))}),
}
_SPANS = ("prompt", "predicted")
_TIMINGS: dict[str, Schema] = {
    **{f"{span}_n": COUNT for span in _SPANS},
    **{f"{span}_{unit}": NUMBER for span in _SPANS for unit in ("ms", "per_token_ms", "per_second")},
    "cache_n": COUNT | {"description": "Tokens of the prompt that were cached; in timings of today."},
    "draft_n": COUNT | {"description": "Tokens that were tried ahead, if any."},
    "draft_n_accepted": COUNT | {"description": "Those of them that were right."},
}
TIMINGS_SCHEMAS = {"Timings": record(_TIMINGS, optional=("cache_n", "draft_n", "draft_n_accepted"))}
PROGRESS_SCHEMAS = {"PromptProgress": record(dict.fromkeys(("total", "cache", "processed", "time_ms"), COUNT))}
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
