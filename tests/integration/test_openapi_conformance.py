"""GET /openapi.json, held against a whole service on the scripted model: what it says is what the adapter does.

Requests are made up from the document, right ones and wrong ones. ``negative_data_rejection`` is not among the checks:
unknown keys are ignored, and integers may be written as other numbers or as booleans, so that many requests that the
document does not describe are answered on purpose. What is refused is looked at field by field in the unit tests.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    positive_data_acceptance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from rest_adapter.apis.routes import ROUTES
from rest_adapter.config import RestConfig
from rest_adapter.http.media_types import EVENTS_UTF8
from rest_adapter.openapi.document import document
from rest_adapter.openapi.schema_types import array, integer, token_id
from service.config import ModelConfig
from service.testing.scripted_model import N_EMBD, N_VOCAB
from slotline.options import max_bytes
from tests.support.fake_encoder import FakeEncoder
from tests.support.properties import fuzzed
from tests.support.scripted_core import WAIT_S, ByteVocabulary, FimTokens, ScriptedLoadedModel, scripted_model
from tests.support.scripted_service import N_PREDICT, ScriptedService

if TYPE_CHECKING:
    from collections.abc import Iterator

# Tokens of each answer; whole contexts would only take longer.
MOST_TOKENS = N_PREDICT
# What a schema cannot say about a request, because it depends on another field.
NOT_IN_SCHEMAS = (
    "add_generation_prompt:",
    "choice:",
    "continue_final_message:",
    "echo:",
    "enable_thinking:",
    "filename:",
    "include_reasoning:",
    "json_schema:",
    "logprobs:",
    "n:",
    "prompt_logprobs:",
    "reasoning_effort:",
    "system_prompt:",
    "text_1:",
    "tool_choice",
    "top_logprobs:",
)
# The same of messages and of prompts, which are named by their numbers.
NOT_IN_SCHEMAS_OF_ITEMS = (
    "is called, and nothing says what it gave",
    "has no text to continue",
    "ends with two messages of the assistant",
    ".multimodal_data: has",
)
TOKEN_ID = integer((0, N_VOCAB - 1))
# As chats have it, and as the Responses API has it; each ignores what is for the other.
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}, "name": "f"}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
MOST_ITEMS = 8
PICTURE = "data:image/gif;base64,R0lG"
# Fields of requests of which most values are refused by this model, need another field, or leave no time to answer.
REPLACED: dict[str, Any] = {
    "best_of": {"type": "null"},
    # As many characters as fit into its bytes.
    "cache_salt": {"type": "string", "maxLength": max_bytes("cache_salt") // 4},
    "chat_template_kwargs": {"enum": [{}, None]},
    "choice": {"enum": [["yes", "no"], None]},
    "dimensions": {"enum": [N_EMBD, None]},
    "ebnf": {"enum": ["", None]},
    "grammar": {"enum": ["", 'root ::= "yes" | "no"', None]},
    "guided_choice": {"type": "null"},
    "guided_grammar": {"enum": ["", None]},
    "guided_json": {"type": "null"},
    "guided_regex": {"type": "null"},
    # Most have no marker in any prompt.
    "image_data": {"enum": [[], None]},
    "image_url": {"enum": [PICTURE, {"url": PICTURE}, {"url": PICTURE, "detail": None}]},
    "json_schema": {"enum": [{"enum": ["yes", "no"]}, None]},
    # This model has no adapters.
    "lora": {"enum": [[], None]},
    "min_tokens": {"enum": [0, None]},
    "n": integer((1, 3)),
    "n_probs": integer((0, 3)),
    "output_config": {"enum": [{}, {"effort": "low"}, None]},
    "output_format": {"type": "null"},
    "reasoning": {"type": "null"},
    "source": {
        "enum": [{"type": "base64", "media_type": "image/gif", "data": "R0lG"}, {"type": "url", "url": PICTURE}]
    },
    "regex": {"type": "null"},
    "repeat_penalty": {"type": "number", "minimum": 0.001, "maximum": 100},
    "response_format": {"enum": [{"type": "text"}, None]},
    "stop_token_ids": array(TOKEN_ID, maxItems=MOST_ITEMS),
    "structured_outputs": {"enum": [{}, None]},
    "thinking_budget_tokens": {"type": "null"},
    "thinking_token_budget": {"type": "null"},
    "timeout_s": {"const": WAIT_S},
    "tool_calls": {"enum": [[CALL], [], None]},
    "tools": {"enum": [[TOOL], [], None]},
}
EXAMPLES = settings(fuzzed, max_examples=max(10, fuzzed.max_examples // 20), derandomize=True, database=None)


def narrowed(value: Any, **fields: Any) -> Any:
    """A part of the document with less allowed, so that requests are answered and answers are looked at closely.

    Objects have no other properties than it names, tokens are those of this model, and arrays in requests are short.

    Args:
        value: the part.
        fields: fields of requests, and what they may be instead; those that are constant are in every request.
    """
    if isinstance(value, list):
        return [narrowed(item, **fields) for item in value]
    if not isinstance(value, dict):
        return value
    shut = {key: narrowed(item, **fields) for key, item in value.items()}
    if shut.get("type") == "object" and "properties" in shut and "data" not in shut["properties"]:
        shut["additionalProperties"] = False
        # Only fields of requests have descriptions. What has to be empty stays so.
        mine = [
            name
            for name, form in shut["properties"].items()
            if name in fields and "description" in form and 0 not in (form.get("maxItems"), form.get("maximum"))
        ]
        shut["properties"] |= {name: fields[name] for name in mine}
        always = [name for name in mine if "const" in fields[name]]
        shut["required"] = [*shut.get("required", ()), *always]
    if shut.get("maxItems", 0) > MOST_ITEMS:
        shut["maxItems"] = MOST_ITEMS
    return TOKEN_ID if shut == token_id() else shut


DOCUMENT = document(ROUTES)
NARROWED = narrowed(DOCUMENT)
# Each route once: other paths of it have the same handler.
PATHS = [
    path
    for path, methods in DOCUMENT["paths"].items()
    if not any(operation["description"].startswith("The same as ") for operation in methods.values())
]
STREAMING = [path for path in PATHS if "text/event-stream" in json.dumps(DOCUMENT["paths"][path])]
SCHEMA = schemathesis.openapi.from_dict(narrowed(DOCUMENT, **REPLACED)).include(path=PATHS)
STREAMS = schemathesis.openapi.from_dict(narrowed(DOCUMENT, **REPLACED, stream={"const": True})).include(path=STREAMING)
# Refusals are the same with and without a stream.
STREAMS.config.phases.coverage.enabled = False
STREAMS.config.generation.update(modes=[schemathesis.GenerationMode.POSITIVE])


class Model(ScriptedLoadedModel):
    """The scripted model, which can fill gaps, too."""

    vocabulary = ByteVocabulary(fim_tokens=FimTokens())


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScriptedService]:
    """Everything switched on."""
    made = ScriptedService(
        tmp_path_factory.mktemp("core"),
        RestConfig(metrics=True),
        load=lambda config, *, on_progress: scripted_model(config, kind=Model, n_embd_input=N_EMBD),
        encoder=FakeEncoder(),
        model=ModelConfig(path="/models/scripted.gguf", n_ctx=512, n_parallel=2, embedding=True),
        max_tokens=MOST_TOKENS,
    )
    yield made
    made.close()


def check_no_fault(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    """No request is answered with a fault of the server; other statuses above 500 are answers."""
    assert response.status_code != 500, response.text


def is_too_long(error: dict[str, Any]) -> bool:
    """Whether it says that a prompt does not fit."""
    told = (error.get("code"), error.get("type"))
    return (
        "context_length_exceeded" in told
        or "exceed_context_size_error" in told
        or error["message"].startswith("prompt is too long:")
    )


def check_accepted(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]
) -> None:
    """What the document allows is answered, but for what it cannot say."""
    if response.status_code == 400:
        error = response.json()["error"]
        # How many tokens a text has, no schema says.
        if is_too_long(error) or error["message"].startswith(NOT_IN_SCHEMAS):
            return
        if any(words in error["message"] for words in NOT_IN_SCHEMAS_OF_ITEMS):
            return
    positive_data_acceptance(ctx, response, case)


def check_events(ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case[Any]) -> None:
    """The data of every event is what the document says."""
    if response.headers.get("content-type") != [EVENTS_UTF8]:
        return
    answer = NARROWED["paths"][case.path][case.method.lower()]["responses"]["200"]
    of_event = answer["content"]["text/event-stream"]["schema"]["properties"]["data"]
    choices = of_event.get("anyOf", [of_event])
    of_data = next(choice["contentSchema"] for choice in choices if "contentSchema" in choice)
    validator = jsonschema_rs.validator_for(of_data | {"components": NARROWED["components"]})
    assert response.text.endswith("\n\n")
    # A slow machine may be silent for so long that comments come.
    events = [event for event in response.text.removesuffix("\n\n").split("\n\n") if event != ": ping"]
    if events[-1] == "data: [DONE]":
        assert {"const": "[DONE]"} in choices
        del events[-1]
    assert events
    for event in events:
        name, mark, data = event.rpartition("data: ")
        value = json.loads(data)
        validator.validate(value)
        # Where events have names, their data have them, too.
        assert mark
        assert name in ("", f"event: {value.get('type')}\n")


CHECKS = [
    check_no_fault,
    check_accepted,
    check_events,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@SCHEMA.parametrize()
@EXAMPLES
def test_the_adapter_does_what_its_document_says(case: schemathesis.Case[Any], service: ScriptedService) -> None:
    case.call_and_validate(base_url=service.adapter.url, checks=CHECKS, timeout=WAIT_S)


@STREAMS.parametrize()
@settings(EXAMPLES, max_examples=4 * EXAMPLES.max_examples)
def test_streams_are_what_the_document_says(case: schemathesis.Case[Any], service: ScriptedService) -> None:
    case.call_and_validate(base_url=service.adapter.url, checks=CHECKS, timeout=WAIT_S)


def test_all_generating_routes_stream() -> None:
    assert STREAMING == [
        "/completion",
        "/infill",
        "/v1/completions",
        "/v1/chat/completions",
        "/v1/responses",
        "/v1/messages",
    ]
