"""The parser of answers: what it makes of a text, whatever pieces that comes in, and of what is no answer at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.dialogue.known_formats import KNOWN_FORMATS
from service.dialogue.output import CallPart, Channel, ReasoningFormat, TextPart
from service.dialogue.parsing.factory import call_id, make_parser, opens_reasoning
from service.dialogue.parsing.harmony import CALL
from service.dialogue.tools import Tool
from tests.support.parsed import ANSWERS, TOOLS, Answer, Call, Parsed, parse
from tests.support.properties import N_EXAMPLES

if TYPE_CHECKING:
    from random import Random

_BY_STYLE = pytest.mark.parametrize(("form", "text"), [(form, text) for form, text, *_ in ANSWERS])
#: What answers are made of, right and wrong.
_FRAGMENTS = [
    *sorted({text[start : start + 7] for _, text, *_ in ANSWERS for start in range(0, len(text), 7)}),
    "<tool_call>",
    "</tool_call>",
    "<think>",
    "</think>",
    '{"name": "get", "arguments": {',
    '{"name": "',
    '"}}',
    "\n",
    " ",
    "é",
    "§",
    "a§ §",
    "\\",
    '"',
]


@pytest.mark.parametrize(("form", "text", "content", "reasoning", "calls"), ANSWERS)
def test_an_answer_is_told_apart(
    form: str, text: str, content: str, reasoning: str, calls: list[tuple[str, str]]
) -> None:
    expected = [Call(f"id{index}", name, arguments) for index, (name, arguments) in enumerate(calls)]
    assert parse(form, [text]) == Parsed(content, reasoning, expected, len(calls))


def test_every_known_format_is_tried() -> None:
    assert {form for form, *_ in ANSWERS} | {"apriel", "deepseek-v4"} >= set(KNOWN_FORMATS)


@_BY_STYLE
@pytest.mark.parametrize("reasoning", ReasoningFormat)
def test_each_character_may_come_alone(form: str, text: str, reasoning: ReasoningFormat) -> None:
    assert parse(form, text, reasoning=reasoning) == parse(form, [text], reasoning=reasoning)


@_BY_STYLE
def test_any_two_pieces_give_the_same(form: str, text: str) -> None:
    whole = parse(form, [text])
    for cut in range(len(text)):
        assert parse(form, [text[:cut], text[cut:]]) == whole, text[:cut]


@given(st.sampled_from(ANSWERS), st.sampled_from(ANSWERS), st.randoms(use_true_random=False))
@settings(max_examples=5 * N_EXAMPLES)
def test_all_pieces_give_the_same(answer: Answer, other: Answer, random: Random) -> None:
    """Tried with 10,000 ways to cut answers: some behind each other, some of another format."""
    form, text = answer[0], answer[1] + random.choice(["", "\n", answer[1], other[1]])
    whole = parse(form, [text])
    for _ in range(10):
        cuts = sorted(random.choices(range(len(text)), k=random.randrange(20)))
        pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        assert parse(form, pieces) == whole, pieces


@given(
    st.sampled_from(sorted(KNOWN_FORMATS)),
    st.lists(st.sampled_from(_FRAGMENTS), max_size=30),
    st.sampled_from(ReasoningFormat),
)
@settings(max_examples=5 * N_EXAMPLES)
def test_nothing_breaks_it(form: str, pieces: list[str], reasoning: ReasoningFormat) -> None:
    """Whatever comes, in whatever pieces, gives the same, and calls that are complete have an object as arguments."""
    text = "".join(pieces)
    whole = parse(form, [text], reasoning=reasoning)
    assert parse(form, pieces, reasoning=reasoning) == whole
    assert parse(form, text, reasoning=reasoning) == whole
    assert whole.n_complete <= len(whole.calls)
    if not whole.calls and reasoning is not ReasoningFormat.BOTH:
        assert (whole.content + whole.reasoning).count("§") == text.count("§"), "something is lost"
    for call in whole.calls:
        assert call.name in [tool.name for tool in TOOLS]


@given(st.sampled_from(sorted(KNOWN_FORMATS)), st.text(alphabet="<>{}[]\"'|_/ \\ntolcaghi:=,", max_size=60))
@settings(max_examples=5 * N_EXAMPLES)
def test_what_is_no_answer_in_a_format_is_content(form: str, text: str) -> None:
    parsed = parse(form, text)
    content = KNOWN_FORMATS[form].content
    is_marked = content is not None and content.open.strip() in text
    # Of the tokens that end a message of gpt-oss, this alphabet can spell one; it is no part of the text.
    is_ended = form == "gpt-oss" and CALL in text
    if not parsed.calls and not parsed.reasoning and not is_marked and not is_ended:
        assert parsed.content == text


def test_the_end_of_a_message_is_no_part_of_its_text() -> None:
    assert [parse("gpt-oss", text).content for text in (CALL, f"Hello{CALL}")] == ["", "Hello"]


@pytest.mark.parametrize("form", ["hermes", "qwen3-coder", "lfm2", "gemma4", "mistral"])
def test_a_call_ends_where_its_text_does(form: str) -> None:
    """Cut at any place, what was told of a call is the beginning of its arguments."""
    text, calls = next((text, calls) for name, text, _, _, calls in ANSWERS if name == form and len(calls[0][1]) > 2)
    for cut in range(len(text)):
        parsed = Parsed()
        parsed.add(make_parser(KNOWN_FORMATS[form], TOOLS).push(text[:cut]))
        for call, (name, arguments) in zip(parsed.calls, calls, strict=False):
            assert call.name == name
            assert arguments.startswith(call.arguments)


def test_arguments_come_byte_by_byte() -> None:
    parser = make_parser(KNOWN_FORMATS["hermes"], TOOLS)
    parser.push('<tool_call>\n{"name": "get", "arguments": ')
    assert [part.arguments for char in '{"city": "x"}' for part in parser.push(char) if isinstance(part, CallPart)][
        1:
    ] == list('{"city": "x"}')


def test_strings_between_tags_come_as_they_are_written() -> None:
    parser = make_parser(KNOWN_FORMATS["qwen3-coder"], TOOLS)
    parser.push("<tool_call>\n<function=get>\n<parameter=city>\n")
    told = [part.arguments for char in "a b" for part in parser.push(char) if isinstance(part, CallPart)]
    assert told == ["a", " ", "b"]


def test_only_what_may_begin_a_marker_is_held_back() -> None:
    parser = make_parser(KNOWN_FORMATS["hermes"], TOOLS)
    told = ["".join(part.text for part in parser.push(char) if isinstance(part, TextPart)) for char in "a <to b <x"]
    assert told == ["a", "", "", "", "", " <to", " b", "", "", " <x"]


@pytest.mark.parametrize(
    ("schema", "raw", "value"),
    [
        ({"type": "string"}, "12", "12"),
        ({"type": "integer"}, "12", 12),
        ({"type": "integer"}, "twelve", "twelve"),
        ({"type": "boolean"}, "True", True),
        ({"type": ["string", "null"]}, "null", None),
        ({"type": ["string", "null"]}, "12", "12"),
        ({"anyOf": [{"type": "string"}, {"type": "number"}]}, "1.5", 1.5),
        ({"enum": ["1", "2"]}, "1", "1"),
        ({"$ref": "#/$defs/word"}, "1", "1"),
        ({"type": "array"}, "[1, 2]", [1, 2]),
        ({"type": "array"}, "[1, 'two', None]", [1, "two", None]),
        ({"type": "object"}, "{'a': True}", {"a": True}),
        ({"type": "array"}, "[1, f()]", "[1, f()]"),
        ({"type": "string"}, "['a']", "['a']"),
        ({}, '{"a": null}', {"a": None}),
        ({}, "plain", "plain"),
        ({"type": "number"}, "NaN", "NaN"),
    ],
)
def test_the_schema_says_what_a_raw_value_is(schema: dict[str, object], raw: str, value: object) -> None:
    tool = Tool("f", {"properties": {"a": schema}, "$defs": {"word": {"type": "string"}}})
    text = f"<tool_call>\n<function=f>\n<parameter=a>\n{raw}\n</parameter>\n</function>\n</tool_call>"
    (call,) = parse("qwen3-coder", [text], tools=[tool]).calls
    assert json.loads(call.arguments) == {"a": value}


@pytest.mark.parametrize(
    ("tail", "text", "reasoning", "content"),
    [
        ("<|im_start|>assistant\n<think>\n", "hm</think>\n\nYes", "hm", "Yes"),
        ("<|im_start|>assistant\n<think>\n", "hm, no end", "hm, no end", ""),
        ("<|im_start|>assistant\n<think>\n\n</think>\n\n", "Yes", "", "Yes"),
        ("<|im_start|>assistant\n", "<think>hm</think>Yes", "hm", "Yes"),
    ],
)
def test_the_prompt_may_have_begun_the_reasoning(tail: str, text: str, reasoning: str, content: str) -> None:
    assert parse("hermes", text, tail=tail) == Parsed(content, reasoning)
    assert opens_reasoning(KNOWN_FORMATS["hermes"], tail) == tail.endswith("<think>\n")


@pytest.mark.parametrize(
    ("tail", "parsed"),
    [
        ("<|start|>assistant", Parsed("analysis", "")),
        ("<|start|>assistant<|channel|>analysis<|message|>", Parsed("", "analysis")),
    ],
)
def test_the_prompt_may_have_opened_a_channel(tail: str, parsed: Parsed) -> None:
    assert parse("gpt-oss", "analysis", tail=tail) == parsed


def test_a_prompt_may_have_begun_a_call() -> None:
    assert parse("functionary-3.2", "all\nHi", tail="assistant\n>>>") == Parsed("Hi")
    assert parse("functionary-3.2", "get_more\n{}", tail="assistant\n>>>") == Parsed(
        "", "", [Call("id0", "get_more", "{}")], 1
    )


@pytest.mark.parametrize(
    ("reasoning", "content", "thought"),
    [
        (ReasoningFormat.SEPARATE, "Yes", "hm\nhm"),
        (ReasoningFormat.INLINE, "<think>\nhm\nhm\n</think>\n\nYes", ""),
        (ReasoningFormat.BOTH, "<think>\nhm\nhm\n</think>\n\nYes", "hm\nhm"),
    ],
)
def test_reasoning_goes_where_it_is_wanted(reasoning: ReasoningFormat, content: str, thought: str) -> None:
    text = "<think>\nhm\nhm\n</think>\n\nYes"
    assert parse("hermes", text, reasoning=reasoning) == Parsed(content, thought)


def test_without_tools_calls_are_content() -> None:
    text = '<tool_call>\n{"name": "get", "arguments": {}}\n</tool_call>'
    assert parse("hermes", text, tools=()) == Parsed(text)


def test_a_tool_that_was_not_declared_is_content() -> None:
    text = 'a\n<tool_call>\n{"name": "other", "arguments": {}}\n</tool_call>'
    assert parse("hermes", text) == Parsed(text)


def test_what_follows_a_call_unexpectedly_is_content() -> None:
    text = '<tool_call>\n{"name": "get", "arguments": {"n": 1}} oops'
    assert parse("hermes", text) == Parsed("} oops", "", [Call("id0", "get", '{"n": 1}')], 1)


def test_names_may_hold_anything() -> None:
    tools = [Tool('a"b'), Tool("ü b"), Tool("a")]
    for tool in tools:
        for name in (json.dumps(tool.name), json.dumps(tool.name, ensure_ascii=False)):
            text = f'<tool_call>\n{{"name": {name}, "arguments": {{}}}}\n</tool_call>'
            assert [call.name for call in parse("hermes", text, tools=tools).calls] == [tool.name]


def test_ids_of_calls_are_long_and_differ() -> None:
    ids = {call_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(len(identifier) == 29 and identifier[5:].isalnum() for identifier in ids)


def test_marks_are_told_so_that_their_tokens_come_with_no_text() -> None:
    parser = make_parser(KNOWN_FORMATS["hermes"], TOOLS)
    assert [part for part in parser.push("<think>") if isinstance(part, TextPart)] == []
    assert parser.is_reasoning
    parts = parser.push("so</think>yes")
    assert [type(part).__name__ for part in parts] == ["TextPart", "MarkPart", "TextPart"]
    assert not parser.is_reasoning
    assert parts[-1] == TextPart(Channel.CONTENT, "yes")
