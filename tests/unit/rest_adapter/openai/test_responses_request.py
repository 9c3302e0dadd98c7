"""Bodies of POST /v1/responses: input items, tools, options, and the names of fields that are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rest_adapter.apis.openai.responses.paths import rename_fields
from rest_adapter.apis.openai.responses.request import ResponseCall, read_response
from rest_adapter.errors import InvalidRequest
from slotline.v1.generation_pb2 import (
    OVERFLOW_REFUSE,
    OVERFLOW_TRUNCATE,
    REASONING_FORMAT_SEPARATE,
    GenerateRequest,
)
from slotline.v1.prompt_pb2 import TOOL_MODE_AUTO, TOOL_MODE_NONE, TOOL_MODE_REQUIRED, ChatMessage
from tests.unit.rest_adapter.messages import invalid_argument

FUNCTION = {
    "type": "function",
    "name": "f",
    "description": "Does it.",
    "parameters": {"type": "object", "properties": {"b": {}, "a": {}}},
    "strict": False,
}
CUSTOM = {"type": "custom", "name": "patch", "description": "Patches."}
SEARCH = {"type": "web_search", "external_web_access": False}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": '{"b": 1}'}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "done"}
THOUGHT = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [],
    "content": [{"type": "reasoning_text", "text": "Hm."}],
    "encrypted_content": None,
}


def read(**fields: Any) -> ResponseCall:
    return read_response({"input": "Hi", **fields})


def request(**fields: Any) -> GenerateRequest:
    return read(**fields).request


def turn(message: ChatMessage) -> dict[str, Any]:
    """A message without what it has not."""
    calls = [(call["id"], call["function"]) for call in json.loads(message.tool_calls_json or "[]")]
    fields = {
        "role": message.role,
        "text": "".join(part.text for part in message.content),
        "reasoning": message.reasoning,
        "calls": calls,
        "answers": message.tool_call_id,
    }
    return {name: value for name, value in fields.items() if value}


def said(role: str, *texts: str, kind: str = "input_text", **fields: Any) -> dict[str, Any]:
    return {"role": role, "content": [{"type": kind, "text": text} for text in texts], **fields}


F_CALL = ("call_1", {"name": "f", "arguments": '{"b": 1}'})
PATCH = ("call_2", {"name": "patch", "arguments": '{"input":"a\\n\\"b\\""}'})


@pytest.mark.parametrize(
    ("fields", "turns"),
    [
        ({"input": "Hi"}, [{"role": "user", "text": "Hi"}]),
        (
            {"instructions": "Be brief.", "input": "Hi"},
            [{"role": "system", "text": "Be brief."}, {"role": "user", "text": "Hi"}],
        ),
        ({"input": ""}, [{"role": "user"}]),
        ({"input": []}, [{"role": "user"}]),
        ({}, [{"role": "user"}]),
        ({"input": [{"role": "user", "content": "Hi"}]}, [{"role": "user", "text": "Hi"}]),
        (
            {"input": [said("developer", "Be ", "brief.", type="message"), said("system", "x"), said("user", "Hi")]},
            [
                {"role": "developer", "text": "Be brief."},
                {"role": "system", "text": "x"},
                {"role": "user", "text": "Hi"},
            ],
        ),
        # What the assistant thought, said and called is one turn.
        (
            {
                "input": [
                    said("user", "Hi"),
                    THOUGHT,
                    said("assistant", "I do.", kind="output_text", type="message", id="msg_1", status="completed"),
                    CALL,
                    {"type": "custom_tool_call", "call_id": "call_2", "name": "patch", "input": 'a\n"b"'},
                    OUTPUT,
                    {"type": "custom_tool_call_output", "call_id": "call_2", "output": said("", "o", "k")["content"]},
                    said("assistant", "Done.", kind="output_text"),
                ]
            },
            [
                {"role": "user", "text": "Hi"},
                {"role": "assistant", "text": "I do.", "reasoning": "Hm.", "calls": [F_CALL, PATCH]},
                {"role": "tool", "text": "done", "answers": "call_1"},
                {"role": "tool", "text": "ok", "answers": "call_2"},
                {"role": "assistant", "text": "Done."},
            ],
        ),
        (
            {"input": [said("assistant", "One."), {"role": "assistant", "content": "Two."}]},
            [{"role": "assistant", "text": "One.\nTwo."}],
        ),
        (
            {"input": [{"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}]},
            [{"role": "assistant", "text": "No."}],
        ),
        # A call that began the turn, and what was thought about the next one.
        (
            {"input": [CALL, OUTPUT, THOUGHT, CALL | {"call_id": "call_3"}]},
            [
                {"role": "assistant", "calls": [F_CALL]},
                {"role": "tool", "text": "done", "answers": "call_1"},
                {"role": "assistant", "reasoning": "Hm.", "calls": [("call_3", F_CALL[1])]},
            ],
        ),
        # Of reasoning without a text that can be read, nothing is left.
        (
            {"input": [{"type": "reasoning", "summary": [], "encrypted_content": "gAAA"}, said("user", "Hi")]},
            [{"role": "user", "text": "Hi"}],
        ),
        (
            {"input": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "In short."}]}]},
            [{"role": "assistant", "reasoning": "In short."}],
        ),
    ],
)
def test_items_become_turns(fields: dict[str, Any], turns: list[dict[str, Any]]) -> None:
    assert [turn(message) for message in read_response(fields).request.chat.messages] == turns


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"input": 3}, "input: 3 is not a string or an array of objects"),
        ({"input": ["Hi"]}, 'input[0]: "Hi" is not an object'),
        ({"input": [{"role": "tool", "content": ""}]}, 'input[0].role: "tool" is not "assistant" or'),
        ({"input": [{"content": "Hi"}]}, 'input[0].role: is missing; send "assistant" or'),
        ({"input": [{"role": "user"}]}, "input[0].content: is missing; send a string or an array of objects"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, 'input[0].type: "item_reference" is not supported'),
        ({"input": [{"type": "web_search_call"}]}, 'input[0].type: "web_search_call" is not "message" or'),
        ({"input": [{"type": 3}]}, "input[0].type: 3 is not"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "x"}]}]},
            'input[0].content[0].type: "input_file" is not supported',
        ),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input[0].content[0].text: null is not"),
        ({"input": [CALL | {"arguments": {}}]}, "input[0].arguments: {} is not a string"),
        ({"input": [{"type": "function_call_output", "output": ""}]}, "input[0].call_id: is missing"),
        (
            {"input": [OUTPUT | {"output": [{"type": "input_file"}]}]},
            'input[0].output[0].type: "input_file" is not supported',
        ),
        ({"instructions": ["x"]}, 'instructions: ["x"] is not a string'),
        ({"previous_response_id": "resp_1"}, 'previous_response_id: "resp_1" is not supported'),
        ({"conversation": "conv_1"}, 'conversation: "conv_1" is not supported'),
        ({"background": True}, "background: true is not supported"),
        ({"prompt": {"id": "p"}}, "prompt: "),
        ({"max_output_tokens": 0}, "max_output_tokens: 0 is not an integer from 1 to 2147483647"),
        ({"max_tokens": 5}, "max_tokens: 5 is not supported; send max_output_tokens"),
        ({"messages": [{"role": "user"}]}, "messages: "),
        ({"response_format": {"type": "json_object"}}, "response_format: "),
        ({"n": 2}, "n: 2 is not supported"),
        ({"truncation": "middle"}, 'truncation: "middle" is not "auto" or "disabled"'),
        ({"top_logprobs": 21}, "top_logprobs: 21 is not an integer from 0 to 20"),
        ({"metadata": {"a": 1}}, "metadata.a: 1 is not a string"),
        ({"text": {"format": {"type": "xml"}}}, 'text.format.type: "xml" is not'),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.json_schema: null is not an object"),
        (
            {"text": {"format": {"type": "json_object"}}, "grammar": "root ::= x"},
            "text.format: is not allowed together",
        ),
        ({"reasoning": {"effort": ""}}, 'reasoning.effort: "" is not a string, not empty'),
        (
            {"reasoning": {"effort": "none"}, "enable_thinking": True},
            "enable_thinking: turns reasoning on, and reasoni",
        ),
        ({"tools": [{"type": "function"}]}, "tools[0].name: is missing"),
        ({"tools": [FUNCTION | {"parameters": 1}]}, "tools[0].parameters: 1 is not an object"),
        ({"tools": [CUSTOM | {"format": {"type": "grammar", "syntax": "lark"}}]}, "tools[0].format.definition: is mi"),
        ({"tools": [CUSTOM | {"format": {"type": "grammar"}}]}, "tools[0].format.syntax: is missing"),
        ({"tools": [FUNCTION], "tool_choice": "never"}, 'tool_choice: "never" is not "none"'),
        ({"tools": [FUNCTION], "tool_choice": {"type": "function"}}, "tool_choice.name: is missing"),
        ({"tools": [FUNCTION], "tool_choice": {"type": "function", "name": "g"}}, 'tool_choice.name: "g" is not among'),
        ({"tools": [FUNCTION], "tool_choice": {"type": "web_search"}}, 'tool_choice.type: "web_search" is not'),
        ({"tools": [SEARCH], "tool_choice": "required"}, 'tool_choice: "required" needs tools'),
        (
            {"tools": [FUNCTION], "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [SEARCH]}},
            "tool_choice.tools: ",
        ),
    ],
)
def test_mistakes_name_the_field(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read(**fields)
    assert raised.value.message.startswith(message)


def test_tools_are_flat_and_others_are_left_out() -> None:
    local = {"type": "local_shell"}
    call = read(tools=[SEARCH, FUNCTION, local, {"type": "namespace", "tools": [FUNCTION]}, CUSTOM])
    function = {name: FUNCTION[name] for name in ("name", "description", "parameters", "strict")}
    parameters = {
        "type": "object",
        "properties": {"input": {"type": "string"}},
        "required": ["input"],
        "additionalProperties": False,
    }
    patch = {"name": "patch", "description": "Patches.", "parameters": parameters}
    assert json.loads(call.request.chat.tools_json) == [
        {"type": "function", "function": function},
        {"type": "function", "function": patch},
    ]
    # The model writes arguments in the order in which it reads them.
    assert call.request.chat.tools_json.index('"b"') < call.request.chat.tools_json.index('"a"')
    assert call.tools.custom == {"patch"}
    assert call.settings["tools"] == [FUNCTION, CUSTOM]
    assert not request(tools=[SEARCH, local]).chat.HasField("tools_json")


@pytest.mark.parametrize(("syntax", "definition"), [("regex", "a|b"), ("lark", 'start: "a"')])
def test_a_grammar_holds_the_input_of_a_custom_tool(syntax: str, definition: str) -> None:
    form = {"type": "grammar", "syntax": syntax, "definition": definition}
    (tool,) = json.loads(request(tools=[CUSTOM | {"format": form}]).chat.tools_json)
    grammar = {"syntax": syntax, "definition": definition}
    assert tool["function"]["parameters"]["properties"] == {"input": {"type": "string", "x-grammar": grammar}}
    assert tool["function"]["strict"] is True
    assert "strict" not in request(tools=[CUSTOM | {"format": {"type": "text"}}]).chat.tools_json


@pytest.mark.parametrize(
    ("choice", "parallel", "mode", "names", "is_parallel"),
    [
        (None, None, TOOL_MODE_AUTO, [], None),
        ("auto", True, TOOL_MODE_AUTO, [], True),
        ("none", None, TOOL_MODE_NONE, [], None),
        ("required", False, TOOL_MODE_REQUIRED, [], False),
        ({"type": "function", "name": "f"}, None, TOOL_MODE_REQUIRED, ["f"], False),
        ({"type": "custom", "name": "patch"}, True, TOOL_MODE_REQUIRED, ["patch"], True),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [SEARCH, {"type": "function", "name": "f"}]},
            None,
            TOOL_MODE_AUTO,
            ["f"],
            None,
        ),
    ],
)
def test_the_choice_of_tools(
    choice: object, parallel: bool | None, mode: int, names: list[str], is_parallel: bool | None
) -> None:
    policy = request(tools=[FUNCTION, CUSTOM], tool_choice=choice, parallel_tool_calls=parallel).chat.tool_policy
    assert (policy.mode, list(policy.allowed_names)) == (mode, names)
    assert (policy.parallel if policy.HasField("parallel") else None) is is_parallel


def test_the_answer_is_always_taken_apart() -> None:
    output = request().output
    assert output.parse_output
    assert output.reasoning_format == REASONING_FORMAT_SEPARATE


def test_reasoning() -> None:
    assert not request(reasoning={"summary": "auto"}).chat.HasField("reasoning")
    thinking = request(reasoning={"effort": "high"}).chat.reasoning
    assert (thinking.effort, thinking.lenient) == ("high", True)
    off = request(reasoning={"effort": "none"}).chat.reasoning
    assert (off.enabled, off.HasField("enabled"), off.lenient) == (False, True, True)
    # What is asked for by the name of this server is refused where it cannot be had.
    assert not request(enable_thinking=False).chat.reasoning.lenient


@pytest.mark.parametrize(
    ("fields", "overflow", "told"),
    [
        ({}, OVERFLOW_REFUSE, "disabled"),
        ({"truncation": "auto"}, OVERFLOW_TRUNCATE, "auto"),
        ({"truncate": True}, OVERFLOW_TRUNCATE, "auto"),
        ({"truncation": "disabled", "truncate": True}, OVERFLOW_REFUSE, "disabled"),
    ],
)
def test_truncation(fields: dict[str, Any], overflow: int, told: str) -> None:
    call = read(**fields)
    assert call.request.overflow == overflow
    assert call.settings["truncation"] == told


def test_options() -> None:
    asked = request(temperature=0.5, top_p=0.9, max_output_tokens=7, seed=3, top_k=5, stop=["x"])
    assert asked.sampling.temperature == 0.5
    assert asked.sampling.seed == 3
    assert asked.sampling.top_k == 5
    assert asked.stop.max_tokens == 7
    assert asked.stop.texts[0] == "x"
    defaults = request()
    assert defaults.sampling_defaults.temperature == defaults.sampling_defaults.top_p == 1.0
    assert not defaults.stop.HasField("max_tokens")
    assert not defaults.output.HasField("top_logprobs")


@pytest.mark.parametrize(
    ("fields", "top"),
    [
        ({"include": ["message.output_text.logprobs"]}, 0),
        ({"top_logprobs": 2}, 2),
        ({"include": ["reasoning.encrypted_content", "message.output_text.logprobs"], "top_logprobs": 1}, 1),
    ],
)
def test_logprobs(fields: dict[str, Any], top: int) -> None:
    call = read(**fields)
    assert call.wants_logprobs
    assert call.request.output.HasField("top_logprobs")
    assert call.request.output.top_logprobs == top
    assert not read(include=["reasoning.encrypted_content"], top_logprobs=0).wants_logprobs


def test_the_form_of_the_text() -> None:
    schema = {"type": "object", "properties": {"b": {}, "a": {}}}
    form = {"type": "json_schema", "name": "n", "strict": True, "schema": schema}
    assert json.loads(request(text={"format": form}).constraint.json_schema) == schema
    assert request(text={"format": {"type": "json_object"}}).constraint.HasField("json_object")
    assert request(text={"format": {"type": "text"}, "verbosity": "low"}).constraint.WhichOneof("kind") is None


def test_what_answers_repeat() -> None:
    settings = read(
        instructions="Be brief.",
        temperature=0.7,
        metadata={"a": "b"},
        reasoning={"effort": "low", "summary": "auto"},
        max_output_tokens=9,
        store=True,
        user="me",
        prompt_cache_key="k",
        service_tier="auto",
    ).settings
    assert settings == {
        "instructions": "Be brief.",
        "max_output_tokens": 9,
        "metadata": {"a": "b"},
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": "low", "summary": "auto"},
        "store": False,
        "temperature": 0.7,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
    }


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("chat.messages[0].content", "instructions"),
        ("chat.messages[1].content[0]", "input[0].content[0]"),
        ("chat.messages[2].tool_calls_json[0].function.arguments", "input[2].arguments"),
        ("chat.messages[2].tool_calls_json[1].function.name", "input[3].name"),
        ("chat.messages[2].tool_calls_json[1].id", "input[3].call_id"),
        ("chat.messages[2].reasoning", "input[1]"),
        ("chat.messages[3].content", "input[4].output"),
        ("chat.messages[3].tool_call_id", "input[4].call_id"),
        ("chat.messages", "input"),
        ("chat", "input"),
        ("prompt", "input"),
        ("chat.tools_json", "tools"),
        ("chat.tools_json[0].function.parameters", "tools[1].parameters"),
        ("chat.tools_json[1].function.parameters.properties.input.x-grammar", "tools[2].format.definition"),
        ("chat.tools_json[1].function.name", "tools[2].name"),
        ("chat.tool_policy.mode", "tool_choice"),
        ("chat.reasoning.effort", "reasoning.effort"),
        ("constraint.json_schema", "text.format.schema"),
        ("stop.max_tokens", "max_output_tokens"),
        ("sampling.temperature", "temperature"),
    ],
)
def test_failures_of_the_core_name_fields_of_the_body(path: str, name: str) -> None:
    call = read_response(
        {
            "instructions": "Be brief.",
            "input": [said("user", "Hi"), THOUGHT, CALL, CALL | {"call_id": "call_2"}, OUTPUT],
            "tools": [SEARCH, FUNCTION, CUSTOM],
            "reasoning": {"effort": "low"},
            "max_output_tokens": 5,
            "text": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
        }
    )
    assert rename_fields(invalid_argument(path), call).violations[0][0] == name
