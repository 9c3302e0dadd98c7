"""Bodies of POST /v1/messages in the OpenAPI document: of one mind with the parser."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from rest_adapter.apis.anthropic.messages.request import read_messages
from rest_adapter.apis.routes import ROUTES
from rest_adapter.errors import InvalidRequest
from rest_adapter.openapi.document import document

DOCUMENT = document(ROUTES)
PATHS = ("/v1/messages", "/v1/messages/count_tokens")
USER = {"role": "user", "content": "Hi"}
#: Wrong values of these are left out, as they always were.
LENIENT = {"samplers", "logit_bias", "penalty_prompt"}
SAMPLES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 1.5, "x", "", [], ["x"], [1], [[]], {}, {"x": 1}),
    *({"type": kind} for kind in ("auto", "any", "none", "tool", "adaptive", "disabled", "enabled", "json_schema")),
    {"type": "enabled", "budget_tokens": 1},
    {"type": "enabled", "budget_tokens": 0},
    {"type": "adaptive", "display": "loud"},
    {"type": "tool", "name": ""},
    {"type": "json_schema", "schema": {}},
    {"type": "json_schema", "schema": []},
    {"format": {"type": "json_schema", "schema": {}}, "effort": "low"},
    {"effort": ""},
    {"edits": [{"type": "clear_thinking_1"}]},
    {"edits": [{"type": "other"}]},
    [{"type": "text", "text": "x"}],
    [{"type": "image"}],
    [USER],
    [USER | {"role": "tool"}],
    [USER | {"content": [{"type": "tool_result", "tool_use_id": "1", "content": None}]}],
    [USER | {"content": [{"type": "tool_use", "id": "1", "name": "f", "input": {}}]}],
    [{"role": "assistant", "content": [{"type": "thinking"}]}, USER],
    [{"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "f", "input": {}}]}, USER],
    [{"name": "f", "input_schema": {}}],
    [{"type": "web_search"}],
    [{"name": 5}],
)


def properties(path: str) -> dict[str, Any]:
    body = DOCUMENT["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["messages"]
    fields: dict[str, Any] = body["properties"]
    return fields


FIELDS = properties(PATHS[0])


def is_accepted(name: str, value: object) -> bool:
    try:
        read_messages({"messages": [USER], name: value})
    except InvalidRequest as error:
        # Whether there is such a tool, no schema of one field says.
        if "needs tools" in error.message or "not among the tools" in error.message:
            return True
        assert error.name.startswith(name), error.message
        return False
    return True


@pytest.mark.parametrize("name", FIELDS)
def test_a_value_is_accepted_if_it_is_documented(name: str) -> None:
    allowed = jsonschema_rs.validator_for(FIELDS[name])
    is_numeric = "number" in str(FIELDS[name].get("type")) or "integer" in str(FIELDS[name].get("type"))
    for value in SAMPLES:
        if allowed.is_valid(value):
            assert is_accepted(name, value), value
        elif not (name in LENIENT or (is_numeric and isinstance(value, bool | int | float))):
            # Other ways to write a number are taken, as everywhere.
            assert not is_accepted(name, value), value


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_is_described_and_its_default_allowed(name: str) -> None:
    assert FIELDS[name]["description"].endswith(".")
    if "default" in FIELDS[name]:
        jsonschema_rs.validator_for(FIELDS[name]).validate(FIELDS[name]["default"])


def test_both_routes_take_the_same_body() -> None:
    assert properties(PATHS[1]) == FIELDS


def test_errors_have_their_own_statuses() -> None:
    responses = DOCUMENT["paths"][PATHS[0]]["post"]["responses"]
    assert {"400", "401", "413", "529"} <= responses.keys()
    assert "429" not in responses
    assert responses["529"] == {"$ref": "#/components/responses/AnthropicOverloaded"}
