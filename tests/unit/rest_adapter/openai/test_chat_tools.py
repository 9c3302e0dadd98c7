"""The tools of POST /v1/chat/completions, and which of them may be called."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rest_adapter.apis.openai.chat.request import ChatCall, read_chat, rename_fields
from rest_adapter.errors import InvalidRequest, RpcFailure
from slotline.v1.prompt_pb2 import TOOL_MODE_AUTO, TOOL_MODE_NONE, TOOL_MODE_REQUIRED, ToolMode, ToolPolicy
from tests.support.wrong_bodies import TOOL
from tests.unit.rest_adapter.clients import USER
from tests.unit.rest_adapter.messages import invalid_argument

OTHER = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Adds numbers.",
        "parameters": {"type": "object", "properties": {"b": {"type": "integer"}, "a": {"type": "integer"}}},
        "strict": True,
    },
}
BY_NAME = {"type": "function", "function": {"name": "f"}}


def allowed(*names: str, mode: object = "auto") -> dict[str, Any]:
    tools = [{"type": "function", "function": {"name": name}} for name in names]
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}


def read(**body: object) -> ChatCall:
    return read_chat({"messages": USER, "tools": [TOOL, OTHER], **body})


@pytest.mark.parametrize("tools", [[TOOL], [OTHER, TOOL]])
def test_tools_reach_the_core_in_their_order(tools: list[object]) -> None:
    request = read(tools=tools).request
    # Arguments are written in the order of the schema's properties.
    assert request.chat.tools_json == json.dumps(tools, separators=(",", ":"))
    assert request.output.parse_output


@pytest.mark.parametrize("tools", [None, []])
@pytest.mark.parametrize(
    "fields", [{}, {"tool_choice": "auto"}, {"tool_choice": "none"}, {"parallel_tool_calls": False}]
)
def test_without_tools_nothing_is_asked_for(tools: object, fields: dict[str, object]) -> None:
    call = read(tools=tools, **fields)
    assert call.request == read_chat({"messages": USER}).request
    assert not call.reasoning.is_parsed


@pytest.mark.parametrize(
    ("choice", "mode", "names"),
    [
        (None, TOOL_MODE_AUTO, []),
        ("auto", TOOL_MODE_AUTO, []),
        ("required", TOOL_MODE_REQUIRED, []),
        (allowed("add"), TOOL_MODE_AUTO, ["add"]),
        (allowed("add", "f", mode="required"), TOOL_MODE_REQUIRED, ["add", "f"]),
    ],
)
def test_choice(choice: object, mode: ToolMode.ValueType, names: list[str]) -> None:
    assert read(tool_choice=choice).request.chat.tool_policy == ToolPolicy(mode=mode, allowed_names=names)


@pytest.mark.parametrize(("parallel", "expected"), [(None, False), (False, False), (True, True)])
def test_a_named_tool_is_called_once_unless_several_calls_are_asked_for(parallel: object, expected: bool) -> None:
    policy = read(tool_choice=BY_NAME, parallel_tool_calls=parallel).request.chat.tool_policy
    assert policy == ToolPolicy(mode=TOOL_MODE_REQUIRED, allowed_names=["f"], parallel=expected)


@pytest.mark.parametrize("parallel", [True, False])
def test_parallel_calls(parallel: bool) -> None:
    assert read(parallel_tool_calls=parallel).request.chat.tool_policy.parallel is parallel


@pytest.mark.parametrize("fields", [{}, {"parallel_tool_calls": False}, {"parallel_tool_calls": True}])
def test_tools_that_may_not_be_called_are_shown_and_the_answer_is_as_without_them(fields: dict[str, object]) -> None:
    call = read(tool_choice="none", **fields)
    assert call.request.chat.tool_policy == ToolPolicy(mode=TOOL_MODE_NONE)
    assert call.request.chat.tools_json
    assert not call.reasoning.is_parsed
    assert not call.request.HasField("output")


def function(**fields: object) -> dict[str, object]:
    return {"tools": [{"type": "function", "function": {"name": "f", **fields}}]}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"tools": "f"}, 'tools: "f" is not an array of tools'),
        ({"tools": TOOL}, "tools: "),
        ({"tools": [None]}, "tools[0]: null is not an object"),
        ({"tools": [TOOL, {}]}, 'tools[1].type: is missing; send "function"'),
        ({"tools": [{"type": ["function"]}]}, 'tools[0].type: ["function"] is not "function"'),
        ({"tools": [{"type": "function", "function": "f"}]}, 'tools[0].function: "f" is not an object'),
        (function(name=5), "tools[0].function.name: 5 is not a string"),
        (function(description=5), "tools[0].function.description: 5 is not a string"),
        (function(parameters="{}"), 'tools[0].function.parameters: "{}" is not an object'),
        (function(strict="yes"), 'tools[0].function.strict: "yes" is not true or false'),
        ({"tool_choice": 5}, 'tool_choice: 5 is not "none", "auto", "required", or an object'),
        ({"tool_choice": "any"}, 'tool_choice: "any" is not "none"'),
        ({"tool_choice": {}}, 'tool_choice.type: is missing; send "function" or "allowed_tools"'),
        ({"tool_choice": {"type": "tool"}}, 'tool_choice.type: "tool" is not "function" or "allowed_tools"'),
        ({"tool_choice": {"type": {}}}, "tool_choice.type: {} is not"),
        ({"tool_choice": {"type": "function", "name": "f"}}, "tool_choice.function: null is not an object"),
        ({"tool_choice": {"type": "function", "function": {}}}, "tool_choice.function.name: is missing"),
        (
            {"tool_choice": {"type": "function", "function": {"name": "g"}}},
            'tool_choice.function.name: "g" is not among the tools; allowed are "f", "add"',
        ),
        ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice.allowed_tools: null is not an object"),
        ({"tool_choice": allowed("f", mode="none")}, 'tool_choice.allowed_tools.mode: "none" is not "auto" or "requ'),
        ({"tool_choice": allowed("f", mode=[])}, "tool_choice.allowed_tools.mode: [] is not"),
        ({"tool_choice": allowed()}, "tool_choice.allowed_tools.tools: [] is empty"),
        ({"tool_choice": allowed("f", "g")}, 'tool_choice.allowed_tools.tools[1].function.name: "g" is not among the'),
        ({"parallel_tool_calls": 1}, "parallel_tool_calls: 1 is not true or false"),
        ({"tools": [], "tool_choice": "required"}, 'tool_choice: "required" needs tools; send at least one'),
        (
            {"tools": None, "tool_choice": BY_NAME},
            'tool_choice: {"function":{"name":"f"},"type":"function"} needs tools',
        ),
        ({"tools": None, "tool_choice": allowed("f")}, "tool_choice: "),
    ],
)
def test_refusals_name_the_field_and_what_is_allowed(body: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(**body)
    assert caught.value.message.startswith(message)
    assert message.startswith(caught.value.name)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("chat.tools_json", "tools"),
        ("chat.tools_json[1].function.name", "tools[1].function.name"),
        ("chat.tools_json[0].function.parameters /properties/a", "tools[0].function.parameters /properties/a"),
        ("chat.tool_policy.mode", "tool_choice"),
        ("chat.tool_policy.parallel", "parallel_tool_calls"),
        ("chat.messages[2].tool_calls_json", "messages[2].tool_calls"),
        ("chat.messages[2].tool_calls_json[0].function.arguments", "messages[2].tool_calls[0].function.arguments"),
        ("chat.messages[1].reasoning", "messages[1].reasoning_content"),
        ("chat.messages[1].tool_call_id", "messages[1].tool_call_id"),
        ("chat.messages", "messages"),
        ("prompt", "messages"),
        ("stop.min_tokens", "min_tokens"),
    ],
)
def test_failures_of_the_core_name_fields_of_the_body(path: str, name: str) -> None:
    renamed = rename_fields(invalid_argument(path), read())
    assert [field for field, _ in renamed.violations] == [name]


@pytest.mark.parametrize(
    ("text", "renamed"),
    [
        (
            "cannot be combined with chat.tools_json: set chat.tool_policy.mode to TOOL_MODE_NONE",
            'cannot be combined with tools: set tool_choice to "none"',
        ),
        ("is 'low', and chat.reasoning.enabled is false; send one", "is 'low', and enable_thinking is false; send one"),
        (
            "answers chat.messages[2].tool_calls_json[0].function.arguments.",
            "answers messages[2].tool_calls[0].function.arguments.",
        ),
        ("is 'chat'; allowed is chat, or a mode", "is 'chat'; allowed is chat, or a mode"),
    ],
)
def test_what_the_core_says_names_fields_of_the_body_too(text: str, renamed: str) -> None:
    failure = invalid_argument("chat.messages")
    failure = RpcFailure(failure.status, failure.reason, text, violations=(("chat.messages", text),))
    assert rename_fields(failure, read()).violations == (("messages", renamed),)
