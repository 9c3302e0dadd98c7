"""Grammars of the texts that tools take: enforced where calls have texts as they are, or refused."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from service.api.convert.tools import declared_tools
from service.dialogue.grammar.allowed import Answer
from service.dialogue.grammar.answer import answer_grammar
from service.dialogue.known_formats import KNOWN_FORMATS
from service.errors import InvalidArgument
from tests.support.lark_walk import Walk
from tests.support.parsed import parse
from tests.support.served import served_model

if TYPE_CHECKING:
    from service.dialogue.tools import Tool

#: A grammar of patches.
PATCH = r"""
start: "*** Begin Patch" LF hunk+ "*** End Patch" LF?
hunk: "*** Add File: " /[a-z.\/]{1,8}/ LF line+ -> add
line: "+" /[a-z ]{0,8}/ LF
%import common.LF
"""
PATCHES = re.compile(r"\*\*\* Begin Patch\n(\*\*\* Add File: [a-z./]{1,8}\n(\+[a-z ]{0,8}\n)+)+\*\*\* End Patch\n?")
REGEX = {"syntax": "regex", "definition": "^s/[a-z]{1,4}/(.|\n){0,6}/$"}
#: Formats by how they write texts.
RAW = ("qwen3-coder", "deepseek-v3.2", "minimax-m2", "glm-4.6", "seed-oss")
JSON = ("hermes", "llama3", "mistral", "gpt-oss", "deepseek-v3.1")
LOOSE = ("lfm2", "gemma4")


def tool(grammar: Any, form: str) -> Tool:
    """A tool with one text, as a model of a format may call it."""
    parameters = {
        "type": "object",
        "properties": {"input": {"type": "string", "x-grammar": grammar}},
        "required": ["input"],
        "additionalProperties": False,
    }
    function = {"name": "edit", "parameters": parameters, "strict": True}
    model = served_model(chat_format=KNOWN_FORMATS[form])
    (made,) = declared_tools(json.dumps([{"type": "function", "function": function}]), model)
    return made


def inputs(form: str, grammar: Any) -> list[str]:
    """Texts of calls that a walk at random makes."""
    plain, edit = replace(KNOWN_FORMATS[form], reasoning=None), tool(grammar, form)
    lark = answer_grammar(plain, Answer((edit,), is_required=True, is_parallel=False), tail="", token_ids={})
    random, found = Random(3), []
    for _ in range(30):
        walk = Walk(lark)
        if walk.wander(random):
            (call,) = parse(plain, [walk.text], tools=(edit,)).calls
            found.append(json.loads(call.arguments)["input"])
    assert found
    return found


@pytest.mark.parametrize("form", RAW)
def test_a_text_follows_a_grammar_in_lark(form: str) -> None:
    for text in inputs(form, {"syntax": "lark", "definition": PATCH}):
        # A format may take the line break at the end for one of its own.
        assert PATCHES.fullmatch(text), text


@pytest.mark.parametrize("form", RAW)
def test_a_text_matches_an_expression(form: str) -> None:
    for text in inputs(form, REGEX):
        assert re.fullmatch("s/[a-z]{1,4}/(.|\n){0,6}/", text), text


@pytest.mark.parametrize("form", JSON)
def test_an_expression_is_a_pattern_of_json(form: str) -> None:
    made = tool({"syntax": "regex", "definition": "a|b"}, form)
    assert made.parameters["properties"] == {"input": {"type": "string", "pattern": "^(?:a|b)$"}}
    assert made.grammars == {}


@pytest.mark.parametrize(
    ("form", "grammar", "message"),
    [
        *((form, {"syntax": "lark", "definition": PATCH}, "writes texts as JSON") for form in JSON),
        *((form, REGEX, "cannot be enforced") for form in LOOSE),
        *((form, {"syntax": "lark", "definition": PATCH}, "cannot be enforced") for form in LOOSE),
        ("qwen3-coder", "a", "is 'a'; allowed is an object"),
        ("qwen3-coder", {"syntax": "ebnf"}, ".syntax: is 'ebnf'; allowed are"),
        ("qwen3-coder", {"syntax": "regex"}, ".definition: is null; allowed is a text"),
        ("qwen3-coder", {"syntax": "lark", "definition": "a" * 70_000}, "has 70000 bytes"),
    ],
)
def test_what_cannot_be_enforced_is_refused_by_its_path(form: str, grammar: Any, message: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        tool(grammar, form)
    assert "chat.tools_json[0].function.parameters.properties.input.x-grammar" in str(raised.value)
    assert message in str(raised.value)
