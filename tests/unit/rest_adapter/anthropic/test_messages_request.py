"""Bodies of POST /v1/messages as requests: options, tools, thinking, form, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from grpc import StatusCode

from rest_adapter.apis.anthropic.messages.request import MessagesCall, read_messages
from rest_adapter.errors import InvalidRequest, RpcFailure
from slotline.v1.generation_pb2 import OVERFLOW_REFUSE, OVERFLOW_TRUNCATE, REASONING_FORMAT_SEPARATE
from slotline.v1.prompt_pb2 import TOOL_MODE_AUTO, TOOL_MODE_NONE, TOOL_MODE_REQUIRED
from tests.unit.rest_adapter.messages import invalid_argument

USER = [{"role": "user", "content": "Hi"}]
TOOL = {"name": "f", "description": "Does it.", "input_schema": {"type": "object", "properties": {"b": {}, "a": {}}}}
OTHER = {"type": "custom", "name": "g", "input_schema": {}, "strict": True, "cache_control": {"type": "ephemeral"}}
SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 5}


def call_of(**body: Any) -> MessagesCall:
    return read_messages({"messages": USER, **body})


def refused(**body: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as raised:
        call_of(**body)
    return raised.value


def test_a_plain_body() -> None:
    call = call_of(model="claude-sonnet-5", max_tokens=64)
    request = call.request
    assert (call.model, call.is_stream, call.timeout_s) == ("claude-sonnet-5", False, None)
    assert request.stop.max_tokens == 64
    assert (request.sampling_defaults.temperature, request.sampling_defaults.top_p) == (1.0, 1.0)
    assert not request.sampling.HasField("top_k")
    # The core has one model, which answers to every name.
    assert request.model == ""
    assert request.overflow == OVERFLOW_REFUSE
    assert request.output.parse_output
    assert request.output.reasoning_format == REASONING_FORMAT_SEPARATE
    assert not request.chat.HasField("tools_json")


def test_options() -> None:
    call = call_of(
        stream=True, temperature=0.5, top_p=0.9, top_k=5, seed=7, timeout_s=3, truncate=True, cache_salt="a", model="/m"
    )
    sampling = call.request.sampling
    assert (sampling.temperature, sampling.top_k, sampling.seed) == (0.5, 5, 7)
    assert sampling.top_p == pytest.approx(0.9)
    assert (call.is_stream, call.timeout_s, call.model) == (True, 3.0, "")
    assert call.request.overflow == OVERFLOW_TRUNCATE
    assert call.request.cache.cache_salt == "a"
    # Without a limit there is one, as for other servers of this API.
    assert call.request.stop.max_tokens == 4096
    assert call_of(max_tokens=0).request.stop.max_tokens == 0


def test_stop_texts_of_the_client_are_told_from_the_markers_of_models() -> None:
    call = call_of(stop_sequences=["END", "\n\n"], stop=["x"])
    assert call.stop_texts == {"END", "\n\n", "x"}
    assert [*call.request.stop.texts] == ["x", "END", "\n\n", "<|im_end|>"]
    assert call_of().stop_texts == frozenset()


def test_null_is_the_default() -> None:
    names = ("max_tokens", "model", "output_config", "stop_sequences", "stream", "system", "thinking", "tools", "top_k")
    assert call_of(**dict.fromkeys(names)).request == call_of().request


@pytest.mark.parametrize(
    "fields",
    [
        {"metadata": {"user_id": "x"}},
        {"service_tier": "auto"},
        {"container": None, "mcp_servers": [{"type": "url"}]},
        {"cache_control": {"type": "ephemeral"}},
        {"betas": ["x"], "speed": "fast", "inference_geo": "eu", "diagnostics": {}},
        {"context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}},
        {"context_management": {}},
        {"system_prompt": "x"},
    ],
)
def test_what_changes_nothing_is_ignored(fields: dict[str, Any]) -> None:
    assert call_of(**fields).request == call_of().request


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}, "context_management.edits[0].type"),
        ({"context_management": 1}, "context_management"),
        ({"n": 2}, "n"),
        ({"n_predict": 5}, "n_predict"),
        ({"logprobs": True}, "logprobs"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"enable_thinking": True}, "enable_thinking"),
        ({"reasoning_effort": "low"}, "reasoning_effort"),
        ({"chat_template": "x"}, "chat_template"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"stream": 1}, "stream"),
        ({"stop_sequences": "x"}, "stop_sequences"),
        ({"stop_sequences": [1]}, "stop_sequences[0]"),
        ({"system": [{"type": "image"}]}, "system[0].type"),
        ({"temperature": "hot"}, "temperature"),
        ({"messages": None}, "messages"),
        ({"messages": {}}, "messages"),
    ],
)
def test_what_is_refused_is_named(fields: dict[str, Any], name: str) -> None:
    assert refused(**fields).name == name


def test_the_body_needs_messages() -> None:
    with pytest.raises(InvalidRequest, match="messages: is missing"):
        read_messages({})


def test_tools_have_the_shape_of_the_core_and_those_of_other_servers_are_left_out() -> None:
    chat = call_of(tools=[SEARCH, TOOL, OTHER]).request.chat
    assert chat.tools_json == json.dumps(
        [
            {
                "type": "function",
                "function": {"name": "f", "description": "Does it.", "parameters": TOOL["input_schema"]},
            },
            {"type": "function", "function": {"name": "g", "parameters": {}, "strict": True}},
        ],
        separators=(",", ":"),
    )
    assert not call_of(tools=[SEARCH]).request.chat.HasField("tools_json")


@pytest.mark.parametrize(
    ("choice", "mode", "names", "parallel"),
    [
        (None, TOOL_MODE_AUTO, [], None),
        ({"type": "auto"}, TOOL_MODE_AUTO, [], None),
        ({"type": "auto", "disable_parallel_tool_use": True}, TOOL_MODE_AUTO, [], False),
        ({"type": "any"}, TOOL_MODE_REQUIRED, [], None),
        ({"type": "any", "disable_parallel_tool_use": False}, TOOL_MODE_REQUIRED, [], True),
        ({"type": "tool", "name": "g"}, TOOL_MODE_REQUIRED, ["g"], False),
        ({"type": "tool", "name": "g", "disable_parallel_tool_use": False}, TOOL_MODE_REQUIRED, ["g"], True),
        ({"type": "none"}, TOOL_MODE_NONE, [], None),
    ],
)
def test_choices(choice: object, mode: int, names: list[str], parallel: bool | None) -> None:
    policy = call_of(tools=[TOOL, OTHER], tool_choice=choice).request.chat.tool_policy
    assert (policy.mode, [*policy.allowed_names]) == (mode, names)
    assert (policy.parallel if policy.HasField("parallel") else None) == parallel


@pytest.mark.parametrize(
    ("fields", "name", "problem"),
    [
        ({"tools": [{"input_schema": {}}]}, "tools[0].name", "is missing"),
        ({"tools": [{"name": "", "input_schema": {}}]}, "tools[0].name", '"" is not a string'),
        ({"tools": [SEARCH, {"name": "f"}]}, "tools[1].input_schema", "is missing"),
        ({"tools": [{"name": "f", "input_schema": []}]}, "tools[0].input_schema", "[] is not an object"),
        ({"tool_choice": {"type": "any"}}, "tool_choice", "needs tools"),
        ({"tools": [SEARCH], "tool_choice": {"type": "any"}}, "tool_choice", "needs tools"),
        ({"tools": [TOOL], "tool_choice": "any"}, "tool_choice", '"any" is not an object'),
        ({"tools": [TOOL], "tool_choice": {"type": "required"}}, "tool_choice.type", '"required" is not "auto"'),
        ({"tools": [TOOL], "tool_choice": {"type": "tool"}}, "tool_choice.name", "is missing"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "g"}}, "tool_choice.name", 'allowed are "f"'),
    ],
)
def test_wrong_tools_are_named(fields: dict[str, Any], name: str, problem: str) -> None:
    error = refused(**fields)
    assert error.name == name
    assert problem in error.message


@pytest.mark.parametrize(
    ("fields", "enabled", "budget", "effort", "is_shown"),
    [
        ({}, None, None, None, True),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, True, 2048, None, True),
        ({"thinking": {"type": "enabled", "budget_tokens": 1, "display": "omitted"}}, True, 1, None, False),
        ({"thinking": {"type": "adaptive", "display": "summarized"}}, True, None, None, True),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, True, None, None, False),
        ({"thinking": {"type": "between_tools"}}, True, None, None, True),
        ({"thinking": {"type": "disabled"}}, False, 0, None, True),
        ({"output_config": {"effort": "low"}}, None, None, "low", True),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}, True, None, "max", True),
        # Effort is of more than thinking; a template has no word for the rest.
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "max"}}, False, 0, None, True),
    ],
)
def test_thinking(
    fields: dict[str, Any], enabled: bool | None, budget: int | None, effort: str | None, is_shown: bool
) -> None:
    call = call_of(**fields)
    options = call.request.chat.reasoning
    assert (options.enabled if options.HasField("enabled") else None) is enabled
    assert (options.budget_tokens if options.HasField("budget_tokens") else None) == budget
    assert (options.effort if options.HasField("effort") else None) == effort
    assert options.lenient
    assert call.shows_thinking is is_shown


@pytest.mark.parametrize(
    ("thinking", "name"),
    [
        ({"type": "enabled"}, "thinking.budget_tokens"),
        ({"type": "enabled", "budget_tokens": 0}, "thinking.budget_tokens"),
        ({"type": "always"}, "thinking.type"),
        ({}, "thinking.type"),
        (True, "thinking"),
        ({"type": "adaptive", "display": "loud"}, "thinking.display"),
    ],
)
def test_wrong_thinking_is_named(thinking: object, name: str) -> None:
    assert refused(thinking=thinking).name == name


SCHEMA = {"type": "object", "properties": {"b": {"type": "string"}, "a": {}}}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}, "output_config.format.schema"),
        ({"output_format": {"type": "json_schema", "schema": SCHEMA}}, "output_format.schema"),
        ({"json_schema": SCHEMA}, "json_schema"),
    ],
)
def test_forms(fields: dict[str, Any], field: str) -> None:
    call = call_of(**fields)
    assert call.request.constraint.json_schema == json.dumps(SCHEMA, separators=(",", ":"))
    assert call.places.path_in_body("constraint.json_schema") == field


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"output_config": {"format": {"type": "json_object"}}}, "output_config.format.type"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
        ({"output_config": {"effort": ""}}, "output_config.effort"),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {}}}, "grammar": "root ::= x"},
            "output_config",
        ),
        (
            {
                "output_config": {"format": {"type": "json_schema", "schema": {}}},
                "output_format": {"type": "json_schema", "schema": {}},
            },
            "output_format",
        ),
    ],
)
def test_wrong_forms_are_named(fields: dict[str, Any], name: str) -> None:
    assert refused(**fields).name.startswith(name)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("chat.messages[0].content", "system"),
        ("chat.messages[1].content[0]", "messages[0]"),
        ("chat.messages[2].tool_calls_json[1].function.arguments", "messages[1].content[2].input"),
        ("chat.messages[2].tool_calls_json[1].function.name", "messages[1].content[2].name"),
        ("chat.messages[3].tool_call_id", "messages[2].content[0]"),
        ("chat.messages[4]", "messages[2]"),
        ("chat.messages", "messages"),
        ("prompt", "messages"),
        ("chat.tools_json[0].function.parameters", "tools[1].input_schema"),
        ("chat.tools_json[0].function.name", "tools[1].name"),
        ("chat.tools_json", "tools"),
        ("chat.tool_policy.mode", "tool_choice.type"),
        ("chat.reasoning.budget_tokens", "thinking.budget_tokens"),
        ("chat.reasoning.effort", "output_config.effort"),
        ("sampling.temperature", "temperature"),
        ("stop.texts", "stop_sequences"),
        ("stop.max_tokens", "max_tokens"),
        ("constraint.gbnf", "grammar"),
    ],
)
def test_failures_of_the_core_name_fields_of_the_body(path: str, name: str) -> None:
    uses = [{"type": "tool_use", "id": str(number), "name": "f", "input": {}} for number in range(2)]
    results = [{"type": "tool_result", "tool_use_id": str(number)} for number in range(1)]
    call = call_of(
        system="Be brief.",
        messages=[
            *USER,
            {"role": "assistant", "content": [{"type": "text", "text": "a"}, *uses]},
            {"role": "user", "content": [*results, {"type": "text", "text": "b"}]},
        ],
        tools=[SEARCH, TOOL],
    )
    assert call.places.renamed(invalid_argument(path)).violations == ((name, "is wrong"),)


def test_words_of_the_contract_are_those_of_the_body() -> None:
    text = "is TOOL_MODE_REQUIRED; set chat.reasoning.budget_tokens, or chat.tool_policy.mode to TOOL_MODE_NONE"
    failure = RpcFailure(StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", "", violations=(("chat.tools_json", text),))
    ((name, told),) = call_of().places.renamed(failure).violations
    assert (name, told) == ("tools", 'is "any"; set thinking.budget_tokens, or tool_choice.type to "none"')
