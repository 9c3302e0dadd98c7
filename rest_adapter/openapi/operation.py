"""What each route does, takes and answers. A route is looked up by its method and its first path."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rest_adapter.apis.common.priority import HEADER as PRIORITY_HEADER
from rest_adapter.apis.common.priority import MAX_PRIORITY
from rest_adapter.apis.serving.sse import MEDIA_TYPE as EVENTS
from rest_adapter.openapi import bodies
from rest_adapter.openapi.schema_types import STRING, Schema, either, integer, ref

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

JSON_TYPE = "application/json"

# What the adapter itself and a core that is not there can answer anywhere but for /health and the pages.
_COMMON = (401, 421, 500, 503, 504)
_OF_BODIES = (400, 403, 413, *_COMMON)
_OF_GENERATIONS = (429, 501, *_OF_BODIES)
_GENERATION, _EMBEDDING, _TOKENS, _STATE = "generation", "embeddings", "tokens", "state"
TAGS: Mapping[str, str] = {
    _GENERATION: "Texts made by the model.",
    _EMBEDDING: "Texts as vectors. The server needs --embedding, or a model that can do nothing else.",
    _TOKENS: "Texts as tokens, and back.",
    _STATE: "What the server is and does.",
}


_PRIORITY: Schema = integer((-MAX_PRIORITY, MAX_PRIORITY)) | {
    "description": "Requests of higher priority start first, and take slots from running ones of lower priority, which "
    "go on later.",
    "default": 0,
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One route.

    Attributes:
        tag: one of ``TAGS``.
        summary: a few words.
        words: some sentences.
        answers: content by media type, for each status that is no common error.
        errors: statuses with an error object.
        body: makes the schema of the body, None without a body.
        query: query parameters that count when they are there, and their words.
        variable: the variable parts of the path, and their words.

    ``headers`` are those that count, and their schemas.
    """

    tag: str
    summary: str
    words: str
    answers: Mapping[int, Mapping[str, Schema]]
    errors: tuple[int, ...] = ()
    body: Callable[[], Schema] | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    variable: Mapping[str, str] = field(default_factory=dict)

    @property
    def headers(self) -> Mapping[str, Schema]:
        """By name: what a request may say about itself besides its body."""
        return {PRIORITY_HEADER: _PRIORITY} if self.tag == _GENERATION else {}


def _event(data: Schema) -> Schema:
    """One event of a stream. The data of each is JSON."""
    return {
        "type": "object",
        "description": "One server-sent event of the stream.",
        "properties": {"data": data},
        "required": ["data"],
    }


def _json_text(*forms: Schema) -> Schema:
    return {**STRING, "contentMediaType": JSON_TYPE, "contentSchema": either(*forms)}


_NATIVE_EVENTS = _event(_json_text(ref("CompletionPiece"), ref("Completion"), ref("Error")))
_CHAT_EVENTS = _event(either({"const": "[DONE]"}, _json_text(ref("ChatCompletionChunk"), ref("OpenAIError"))))
_TEXT_EVENTS = _event(either({"const": "[DONE]"}, _json_text(ref("TextCompletionChunk"), ref("OpenAIError"))))

_STREAM = (
    "With stream, server-sent events: each has one line of data, a JSON object. An error after the first event is an "
    "event with an error object, and the last one. While nothing comes, a stream may have comments (lines that begin "
    "with a colon, see --sse-ping); the status is 200 then, and what fails is such an event. "
)
_OPENAI_STREAM = (
    _STREAM + "Otherwise data: [DONE] is the last event, unless the server was started with --no-sse-done. "
)
_DOES_NOT_FIT = (
    "A prompt that does not fit into a slot's context is refused with 400 and the code context_length_exceeded, unless "
    "truncate says otherwise; then usage counts what was left out. An answer that reaches the end of the context ends "
    "there, with the finish_reason length."
)
_ALL_OPTIONS = "Takes every option of /completion besides those of the OpenAI API. "

OPERATIONS: Mapping[tuple[str, str], Operation] = {
    ("GET", "/"): Operation(
        _STATE,
        "A page",
        "The built-in page, or index.html of the directory given by --path. Files below that directory come before "
        "every GET route. The page's scripts and styles are served below it, open like the page.",
        {200: {"text/html": STRING}},
        (500,),
    ),
    ("GET", "/openapi.json"): Operation(
        _STATE,
        "This document",
        "The same on every server of this version, whatever its options.",
        {200: {JSON_TYPE: {"type": "object"}}},
        (500,),
    ),
    ("GET", "/health"): Operation(
        _STATE,
        "Whether the server can take a request",
        "Its errors have bodies of their own: the model is being loaded, or the core has stalled (503), or the model "
        "could not be loaded (500).",
        {
            200: {JSON_TYPE: ref("Health")},
            500: {JSON_TYPE: either(ref("HealthWithoutSlots"), ref("Error"))},
            503: {JSON_TYPE: either(ref("HealthWithoutSlots"), ref("Health"))},
        },
        query={
            "include_slots": "With this, whatever its value, the answer has what /slots has; if the server has API "
            "keys, only for who presents one.",
            "fail_on_no_slot": "With this, whatever its value, the status is 503 while no slot is idle.",
        },
    ),
    ("GET", "/slots"): Operation(
        _STATE,
        "What every slot does",
        "Prompts can be read here; --slots-endpoint-disable takes the route away.",
        {200: {JSON_TYPE: ref("Slots")}},
        (404, *_COMMON),
        query={"progress": "With this, whatever its value, each slot counts the tokens of its prompt."},
    ),
    ("GET", "/props"): Operation(
        _STATE,
        "Default settings, number of slots, names of the system prompt",
        "The settings are those of a request that gives none.",
        {200: {JSON_TYPE: ref("Props")}},
        _COMMON,
        query={
            "server": "With this, whatever its value, the answer also has the version, which routes are on, and what "
            "the model can do."
        },
    ),
    ("GET", "/metrics"): Operation(
        _STATE,
        "Metrics for Prometheus",
        "Only if the server was started with --metrics. The averages are those since the last answer.",
        {200: {"text/plain": STRING}},
        (404, *_COMMON),
        query={"keep_window": "With this, whatever its value, the averages go on as if nobody had asked."},
    ),
    ("GET", "/v1/models"): Operation(
        _STATE,
        "The served models, in the OpenAI form",
        "Requests need not name a model.",
        {200: {JSON_TYPE: ref("ModelList")}},
        (500, 503, 504),
    ),
    ("GET", "/v1/models/<rest:name>"): Operation(
        _STATE,
        "One of the served models, in the OpenAI form",
        "Any name will do, as in chats; it is repeated.",
        {200: {JSON_TYPE: ref("Model")}},
        _COMMON,
        variable={"name": "Name of the model; slashes in it may be written as they are."},
    ),
    ("POST", "/completion"): Operation(
        _GENERATION,
        "Continue prompts",
        _STREAM + "An event per piece of text and a final one per prompt, which is like the answer without stream "
        "but for its empty content; with several prompts each has the prompt's number as index.",
        {
            200: {
                JSON_TYPE: either(ref("Completion"), ref("CompletionResults")),
                EVENTS: _NATIVE_EVENTS,
            }
        },
        _OF_GENERATIONS,
        bodies.completion_body,
    ),
    ("POST", "/infill"): Operation(
        _GENERATION,
        "Fill a gap in a text",
        _STREAM + "The events are those of /completion. A model that cannot do it is answered with 501.",
        {200: {JSON_TYPE: ref("Completion"), EVENTS: _NATIVE_EVENTS}},
        _OF_GENERATIONS,
        bodies.infill_body,
    ),
    ("POST", "/v1/completions"): Operation(
        _GENERATION,
        "Continue prompts, in the OpenAI form",
        _ALL_OPTIONS + _OPENAI_STREAM + _DOES_NOT_FIT,
        {200: {JSON_TYPE: ref("TextCompletion"), EVENTS: _TEXT_EVENTS}},
        _OF_GENERATIONS,
        bodies.text_completion_body,
    ),
    ("POST", "/v1/chat/completions"): Operation(
        _GENERATION,
        "Answer a conversation, in the OpenAI form",
        _ALL_OPTIONS + _OPENAI_STREAM + _DOES_NOT_FIT,
        {200: {JSON_TYPE: ref("ChatCompletion"), EVENTS: _CHAT_EVENTS}},
        _OF_GENERATIONS,
        bodies.chat_body,
    ),
    ("POST", "/embedding"): Operation(
        _EMBEDDING,
        "Texts as vectors",
        "Without --embedding the answer is 501.",
        {200: {JSON_TYPE: either(ref("Embedding"), ref("EmbeddingResults"))}},
        _OF_GENERATIONS,
        bodies.embedding_body,
    ),
    ("POST", "/v1/embeddings"): Operation(
        _EMBEDDING,
        "Texts as vectors, in the OpenAI form",
        "Without --embedding the answer is 501.",
        {200: {JSON_TYPE: ref("EmbeddingList")}},
        _OF_GENERATIONS,
        bodies.openai_embedding_body,
    ),
    ("POST", "/tokenize"): Operation(
        _TOKENS,
        "The tokens of a text",
        "Without the token that begins a text; names of special tokens become these.",
        {200: {JSON_TYPE: ref("Tokens")}},
        _OF_BODIES,
        bodies.tokenize_body,
    ),
    ("POST", "/detokenize"): Operation(
        _TOKENS,
        "The text of tokens",
        "Bytes that are no whole character become replacement characters.",
        {200: {JSON_TYPE: ref("Text")}},
        _OF_BODIES,
        bodies.detokenize_body,
    ),
}
