"""The grammar of whole answers: what it allows is what the parser reads, and nothing else is a call."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.dialogue.chat_format import CallStyle, ChatFormat
from service.dialogue.grammar.allowed import Answer
from service.dialogue.grammar.answer import answer_grammar
from service.dialogue.grammar.unenforced import unenforced
from service.dialogue.known_formats import KNOWN_FORMATS
from service.dialogue.parsing.harmony import CONTROL_TOKENS
from service.dialogue.tools import Tool
from tests.support.lark_walk import Walk, token_ids
from tests.support.parsed import ANSWERS, TOOLS, parse
from tests.support.properties import N_EXAMPLES
from tests.support.random_schemas import random_tool

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "maxLength": 8},
        "n": {"type": "integer", "minimum": 0, "maximum": 99},
        "e": {"enum": ["a", "b"]},
        "o": {
            "type": "object",
            "properties": {"x": {"type": "boolean"}},
            "required": ["x"],
            "additionalProperties": False,
        },
        "l": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3},
        "m": {"type": "object", "additionalProperties": {"type": "boolean"}},
        "f": {"anyOf": [{"type": "number"}, {"type": "null"}]},
    },
    "required": ["city", "o"],
}
DECLARED = (Tool("get", SCHEMA), Tool("get_more"))
SCHEMAS = {"get": SCHEMA, "get_more": {"type": "object", "maxProperties": 0}}
#: Control tokens of formats that have some; others have none, or are tried without as well.
CONTROLS = {
    "mistral": ("[TOOL_CALLS]", "[ARGS]", "[THINK]", "[/THINK]"),
    "mistral-nemo": ("[TOOL_CALLS]",),
    "command-r7b": (
        "<|START_THINKING|>",
        "<|END_THINKING|>",
        "<|START_ACTION|>",
        "<|END_ACTION|>",
        "<|START_RESPONSE|>",
        "<|END_RESPONSE|>",
    ),
    "gemma4": ("<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>", '<|"|>'),
    "lfm2": ("<|tool_call_start|>", "<|tool_call_end|>"),
    "gpt-oss": CONTROL_TOKENS,
}
FORMS = [
    pytest.param(name, controls, id=f"{name}-{len(controls)}")
    for name, form in KNOWN_FORMATS.items()
    if form.calls.style is not CallStyle.NONE
    for controls in dict.fromkeys([CONTROLS.get(name, ()), ()])
]

#: One of each way to write arguments.
STYLES = [
    pytest.param(name, CONTROLS.get(name, ()), id=name)
    for name in ("hermes", "qwen3-coder", "deepseek-v3.2", "gemma4", "lfm2")
]


def format_of(name: str, controls: tuple[str, ...]) -> tuple[ChatFormat, str]:
    """A format with control tokens, and what its prompt ends with."""
    return replace(KNOWN_FORMATS[name], control_tokens=controls), "<|start|>assistant" if name == "gpt-oss" else ""


def walk(form: ChatFormat, answer: Answer, tail: str = "") -> Walk:
    """A walk at the beginning of an answer."""
    lark = answer_grammar(form, answer, tail=tail, token_ids=token_ids(form.control_tokens))
    return Walk(lark, form.control_tokens)


@pytest.mark.parametrize(("name", "controls"), FORMS)
@pytest.mark.parametrize("is_parallel", [True, False])
def test_required_calls_are_valid_whatever_is_said(name: str, controls: tuple[str, ...], is_parallel: bool) -> None:
    form, tail = format_of(name, controls)
    # Random letters do not end reasoning.
    form = replace(form, reasoning=None)
    random, n_ended = Random(7), 0
    for _ in range(12):
        said = walk(form, Answer(DECLARED, is_required=True, is_parallel=is_parallel), tail)
        if not said.wander(random):
            continue
        n_ended += 1
        parsed = parse(form, [said.text], tools=DECLARED, tail=tail)
        assert 1 <= parsed.n_complete == len(parsed.calls) <= (99 if is_parallel else 1), said.text
        assert parsed.content == "", said.text
        for call in parsed.calls:
            jsonschema.validate(json.loads(call.arguments), SCHEMAS[call.name])
    assert n_ended


@pytest.mark.parametrize(("name", "controls"), STYLES)
@given(st.randoms(use_true_random=False))
@settings(max_examples=max(20, N_EXAMPLES // 5))
def test_arguments_obey_any_schema_however_they_are_written(
    name: str, controls: tuple[str, ...], random: Random
) -> None:
    form, tail = format_of(name, controls)
    form, tool = replace(form, reasoning=None), random_tool(random)
    said = walk(form, Answer([tool], is_required=True, is_parallel=False), tail)
    if said.wander(random, 300):
        (call,) = parse(form, [said.text], tools=[tool], tail=tail).calls
        jsonschema.validate(json.loads(call.arguments), tool.parameters)


@pytest.mark.parametrize(("name", "controls"), FORMS)
def test_a_choice_is_content_or_valid_calls(name: str, controls: tuple[str, ...]) -> None:
    form, tail = format_of(name, controls)
    random = Random(5)
    for _ in range(12):
        said = walk(form, Answer(DECLARED), tail)
        if said.wander(random, 200):
            parsed = parse(form, [said.text], tools=DECLARED, tail=tail)
            assert parsed.n_complete == len(parsed.calls), said.text
            for call in parsed.calls:
                jsonschema.validate(json.loads(call.arguments), SCHEMAS[call.name])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (name, text)
        for name, text, _, _, calls in ANSWERS
        # These are read, but not what the models are made to write.
        if calls and ' "arguments": "' not in text and '{"arguments"' not in text and '"name":"' not in text
        if "></function>" not in text and "(1,)" not in text and "commentary json" not in text
    ],
)
@pytest.mark.parametrize("is_controlled", [True, False])
def test_answers_as_models_write_them_are_allowed(name: str, text: str, is_controlled: bool) -> None:
    form, tail = format_of(name, CONTROLS.get(name, ()) if is_controlled else ())
    said = walk(form, Answer(TOOLS), tail)
    assert said.say(text), said.text
    assert said.may_end


@pytest.mark.parametrize(
    ("allowed", "refused"),
    [
        ("<tool_call>", "x"),
        ('<tool_call>\n{"name": "', "o"),
        ('<tool_call>\n{"name": "get', "s"),
        ('<tool_call>\n{"name": "get", "arguments": {"city": ', "1"),
        ('<tool_call>\n{"name": "get", "arguments": {"', "x"),
        ('<tool_call>\n{"name": "get_more", "arguments": {', '"'),
        ('Hi <tool_call>\n{"', "a"),
        ('<think>a</think><tool_call>\n{"name": "', "n"),
    ],
)
def test_what_is_no_valid_call_cannot_be_said(allowed: str, refused: str) -> None:
    said = walk(KNOWN_FORMATS["hermes"], Answer(DECLARED))
    assert said.say(allowed)
    assert not said.say(refused)


def test_a_marker_in_reasoning_begins_no_call() -> None:
    said = walk(KNOWN_FORMATS["hermes"], Answer(DECLARED))
    assert said.say("<think> maybe <tool_call> or not </think>\n\nHi")
    assert said.may_end


@pytest.mark.parametrize("controls", [CONTROL_TOKENS, ()], ids=["control", "text"])
def test_channels_end_where_their_tokens_say(controls: tuple[str, ...]) -> None:
    form, tail = format_of("gpt-oss", controls)
    thought = "<|channel|>analysis<|message|>hm<|end|><|start|>assistant"
    required = walk(form, Answer(DECLARED, is_required=True), tail)
    assert required.say(thought)
    assert not walk(form, Answer(DECLARED, is_required=True), tail).say(f"{thought}<|channel|>final")
    assert required.say("<|channel|>commentary to=functions.get_more <|constrain|>json<|message|>{}")
    assert required.may_end
    free = walk(form, Answer(DECLARED), tail)
    assert free.say(f"{thought}<|channel|>final<|message|>Hi")
    assert free.may_end
    assert not free.say("<|end|>")


def test_reasoning_that_the_prompt_has_opened_comes_first() -> None:
    said = walk(KNOWN_FORMATS["hermes"], Answer(DECLARED, is_required=True), "<think>\n")
    assert said.say("hm <tool_call> hm</think>\n\n")
    assert not said.say("x")
    assert said.say('<tool_call>\n{"name": "get_more", "arguments": {}}\n</tool_call>')
    assert said.may_end


def test_a_call_may_not_follow_another_one_unless_that_is_wanted() -> None:
    call = '<tool_call>\n{"name": "get_more", "arguments": {}}\n</tool_call>'
    form = KNOWN_FORMATS["hermes"]
    for is_required in (True, False):
        single = walk(form, Answer(DECLARED, is_required=is_required, is_parallel=False))
        assert single.say(call)
        assert not any(single.say(char) for char in "\n <a")
        assert walk(form, Answer(DECLARED, is_required=is_required)).say(f"{call}\n{call}")


def test_the_spacing_is_that_of_templates() -> None:
    """Otherwise the next turn, which the template writes, would begin differently and be evaluated again."""
    form = KNOWN_FORMATS["hermes"]
    begin = '<tool_call>\n{"name": "get", "arguments": '
    written = json.dumps({"city": "é", "n": 1, "o": {"x": True}, "l": ["a", "b"]}, ensure_ascii=False)
    assert walk(form, Answer(DECLARED)).say(f"{begin}{written}}}\n</tool_call>")
    for wrong in (written.replace(": ", ":"), written.replace(", ", ","), written.replace("{", "{ ")):
        assert not walk(form, Answer(DECLARED)).say(begin + wrong)


@pytest.mark.parametrize(("tail", "before"), [("", ""), ("", "<think>a</think>\n\n"), ("<think>", "a</think>\n\n")])
def test_a_constraint_holds_behind_the_reasoning(tail: str, before: str) -> None:
    said = walk(KNOWN_FORMATS["hermes"], Answer(content="/yes|no/"), tail)
    assert said.say(before)
    assert not said.say("maybe")
    assert said.say("yes")
    assert said.may_end


def test_content_that_obeys_a_constraint_stands_beside_calls() -> None:
    answer = Answer(DECLARED, content='%json {"type": "boolean"}')
    assert walk(KNOWN_FORMATS["hermes"], answer).say("true")
    assert not walk(KNOWN_FORMATS["hermes"], answer).say("Hi")
    assert walk(KNOWN_FORMATS["hermes"], answer).say('<tool_call>\n{"name": "get_more", "arguments": {}}\n</tool_call>')
    assert not walk(KNOWN_FORMATS["hermes"], answer).say("true<tool_call>")


@pytest.mark.parametrize(
    ("parameters", "allowed", "refused"),
    [
        ({}, "{}", '{"a'),
        ({"type": "object", "properties": {}}, "{}", '{"a'),
        ({"type": "object"}, '{"a": 1}', "[]"),
        ({"properties": {"a": {"type": "string"}}, "additionalProperties": True}, '{"b": 1}', "[]"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"b": {"type": "null"}}}}}, '{"b": null}', '{"b": 1'),
        ({"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"const": 5}}}, '{"a": 5}', '{"a": 6'),
    ],
)
def test_arguments_without_a_plain_schema(parameters: dict[str, Any], allowed: str, refused: str) -> None:
    answer, begin = Answer([Tool("f", parameters)], is_required=True), '<tool_call>\n{"name": "f", "arguments": '
    assert walk(KNOWN_FORMATS["hermes"], answer).say(f"{begin}{allowed}}}\n</tool_call>")
    assert not walk(KNOWN_FORMATS["hermes"], answer).say(begin + refused)


def test_names_of_tools_may_hold_anything() -> None:
    for name in ('a"b', "ü b", "a/b", "<x>"):
        said = walk(KNOWN_FORMATS["hermes"], Answer([Tool(name)], is_required=True))
        quoted = json.dumps(name, ensure_ascii=False)
        assert said.say(f'<tool_call>\n{{"name": {quoted}, "arguments": {{}}}}\n</tool_call>')


@pytest.mark.parametrize(
    ("name", "schema", "path"),
    [
        ("hermes", {"type": "string", "pattern": "a+"}, ""),
        ("qwen3-coder", {"type": "string", "maxLength": 5}, ""),
        ("qwen3-coder", {"type": "string", "maxLength": 5000}, "/properties/a/maxLength"),
        ("qwen3-coder", {"type": "string", "pattern": "a+"}, "/properties/a/pattern"),
        ("qwen3-coder", {"type": "string", "enum": ["a"]}, ""),
        ("qwen3-coder", {"enum": ["a", 1]}, "/properties/a/enum"),
        ("qwen3-coder", {"type": "array", "items": {"type": "string", "format": "date"}}, ""),
        ("qwen3-coder", {"anyOf": [{"type": "string"}, {"type": "null"}]}, ""),
        ("qwen3-coder", {"anyOf": [{"type": "string", "format": "date"}, {}]}, "/properties/a/anyOf/0/format"),
        ("gemma4", {"type": "array", "items": {"type": "string", "format": "date"}}, "/properties/a/items/format"),
        ("lfm2", {"type": "object", "minProperties": 1}, "/properties/a/minProperties"),
        ("lfm2", {"type": "integer", "minimum": 1}, ""),
    ],
)
def test_what_cannot_be_enforced_is_told(name: str, schema: dict[str, Any], path: str) -> None:
    tool = Tool("f", {"type": "object", "properties": {"a": schema}})
    assert unenforced(tool, KNOWN_FORMATS[name].calls) == path


@pytest.mark.parametrize("name", ["hermes", "qwen3-coder", "gemma4", "lfm2"])
@pytest.mark.parametrize(
    "definitions",
    [
        {"a": {"anyOf": [{"$ref": "#/$defs/a"}] * 20 + [{"type": "null"}]}},
        {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}, {"type": "null"}]} for n in range(400)} | {"a": {}},
        {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}}},
        {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}},
        {"a": {"type": "object", "properties": {"b": {"$ref": "#/$defs/a"}, "c": {"$ref": "#/$defs/a"}}}},
    ],
    ids=["wide", "long", "nested", "circle", "tree"],
)
def test_schemas_that_refer_to_themselves_take_no_time(name: str, definitions: dict[str, Any]) -> None:
    first = "#/$defs/a0" if "a0" in definitions else "#/$defs/a"
    parameters = {"type": "object", "properties": {"x": {"$ref": first}}, "$defs": definitions}
    tool, form = Tool("f", parameters), KNOWN_FORMATS[name]
    assert unenforced(tool, form.calls) == ""
    assert len(answer_grammar(form, Answer([tool]), tail="", token_ids={})) < 200_000
