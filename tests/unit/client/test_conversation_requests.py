"""Conversations of the Python client become fields of requests, with their tools and their reasoning."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slotline.client.requests import generate_request
from slotline.v1 import prompt_pb2

CHAT: Any = [{"role": "user", "content": "Hi"}]


def test_a_message_reaches_its_fields() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages: Any = [
        {"role": "assistant", "content": None, "reasoning": "hm", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "name": "f", "content": "é"},
    ]
    asked, told = generate_request(messages, {}).chat.messages
    assert (list(asked.content), asked.reasoning, json.loads(asked.tool_calls_json)) == ([], "hm", [call])
    assert (told.content[0].text, told.tool_call_id, told.name) == ("é", "c1", "f")
    assert not told.HasField("tool_calls_json")


@pytest.mark.parametrize(
    ("name", "value", "path"),
    [
        ("tool_choice", "none", "tool_policy.mode"),
        ("allowed_tools", ["f"], "tool_policy.allowed_names"),
        ("parallel_tool_calls", False, "tool_policy.parallel"),
        ("enable_thinking", False, "reasoning.enabled"),
        ("reasoning_effort", "low", "reasoning.effort"),
        ("reasoning_budget_tokens", 0, "reasoning.budget_tokens"),
        ("reasoning_budget_message", "Enough.", "reasoning.budget_message"),
        ("reasoning_lenient", True, "reasoning.lenient"),
        ("continue_final_message", True, "continue_final_message"),
        ("add_generation_prompt", False, "add_generation_prompt"),
    ],
)
def test_an_option_of_conversations_reaches_its_field(name: str, value: Any, path: str) -> None:
    options: Any = {name: value}
    *parents, field = path.split(".")
    message: Any = generate_request(CHAT, options).chat
    for parent in parents:
        message = getattr(message, parent)
    expected = prompt_pb2.TOOL_MODE_NONE if name == "tool_choice" else value
    assert getattr(message, field) == expected
    if message.DESCRIPTOR.fields_by_name[field].has_presence:
        assert message.HasField(field)
    with pytest.raises(ValueError, match=f"^{name}: is for conversations only; the prompt is text"):
        generate_request("Hi", options)


def test_tools_and_variables_are_sent_as_json() -> None:
    tools = [{"type": "function", "function": {"name": "f", "description": "größer"}}]
    chat = generate_request(CHAT, {"tools": tools, "template_kwargs": {"a": [None]}}).chat
    assert json.loads(chat.tools_json) == tools
    assert json.loads(chat.template_kwargs_json) == {"a": [None]}


@pytest.mark.parametrize(
    ("options", "is_parsed"),
    [
        ({}, None),
        ({"enable_thinking": False}, None),
        ({"reasoning_format": "both"}, True),
        ({"reasoning_budget_tokens": 5}, True),
        ({"tools": []}, True),
        ({"tools": [], "parse_output": False}, False),
        ({"parse_output": True}, True),
    ],
)
def test_output_is_parsed_where_an_option_needs_it(options: Any, is_parsed: bool | None) -> None:
    output = generate_request(CHAT, options).output
    assert (output.parse_output if output.HasField("parse_output") else None) is is_parsed


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"tools": "f"}, TypeError, "tools: 'f' is not a list of functions and of declarations"),
        ({"tools": [5]}, TypeError, "tools[0]: 5 is not a function or a declaration as a mapping"),
        ({"tools": [{"function": {1}}]}, ValueError, "tools: [{'function': {1}}] has a value that JSON does not know"),
        ({"tool_choice": "f"}, ValueError, "tool_choice: 'f' is not one of none, auto, required"),
        ({"allowed_tools": "f"}, TypeError, "allowed_tools: 'f' is not a list of texts"),
        ({"template_kwargs": []}, TypeError, "template_kwargs: [] is not a mapping from names of variables to values"),
        ({"reasoning_budget_tokens": -1}, ValueError, "reasoning_budget_tokens: -1 is not a whole number from 0 to "),
    ],
)
def test_wrong_options_of_conversations_are_named(options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        generate_request(CHAT, options)
    assert str(caught.value).startswith(message)
