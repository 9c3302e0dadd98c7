"""Formats as JSON, and back."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from service.dialogue.chat_format import CallFormat, CallStyle, ChatFormat, ContentMarkers, ReasoningMarkers
from service.dialogue.description import describe, resolve_tool_format
from service.dialogue.known_formats import KNOWN_FORMATS
from service.dialogue.template.analysis import analyse
from service.errors import InvalidArgument
from tests.support.chat_templates import TEMPLATES, renderer_of


@pytest.mark.parametrize("name", KNOWN_FORMATS)
def test_a_name_stands_for_its_calls_and_content(name: str) -> None:
    assert resolve_tool_format(name) == replace(KNOWN_FORMATS[name], reasoning=None)


@pytest.mark.parametrize("name", TEMPLATES)
def test_what_is_shown_can_be_given_back(name: str) -> None:
    source = TEMPLATES[name].source
    shown = analyse(source, renderer_of(source))
    back = resolve_tool_format(json.dumps(describe(shown)))
    assert (back.calls, back.reasoning, back.content) == (shown.calls, shown.reasoning, shown.content)


def test_what_is_empty_or_as_usual_is_not_shown() -> None:
    assert describe(ChatFormat(CallFormat(CallStyle.JSON, call_open="<c>", id_first=True))) == {
        "calls": {"style": "json", "call_open": "<c>", "id_first": True},
        "source": "template",
    }
    assert describe(ChatFormat(reasoning=ReasoningMarkers("", "end"), content=ContentMarkers(">"))) == {
        "calls": {"style": "none"},
        "source": "template",
        "reasoning": {"close": "end"},
        "content": {"open": ">"},
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("morse", "'morse' is neither a file with a description nor one of apertus"),
        ("{", "is not JSON"),
        ("{}", "has no 'calls', which say how tool calls are written"),
        ('{"calls": 1}', "has calls that is not a JSON object"),
        ('{"calls": {"style": 1}}', "has calls.style '1'; allowed are none, json, name_key"),
        ('{"calls": {"open": ""}}', "has calls.'open'; allowed are style, section_open"),
        ('{"calls": {"call_open": 1}}', "has calls.call_open that is no text"),
        ('{"calls": {"id_first": "yes"}}', "has calls.id_first that is no truth value"),
        ('{"calls": {}, "reasoning": {"open": "<t>"}}', "has no reasoning.close"),
        ('{"calls": {}, "tools": {}}', "has 'tools'; allowed are calls, reasoning, content"),
        ('{"calls": ' * 100_000, "is not JSON"),
    ],
)
def test_what_describes_no_format_is_refused_with_what_is_allowed(text: str, problem: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        resolve_tool_format(text)
    assert caught.value.field == "tool_format"
    assert problem in caught.value.problem
    assert "\n" not in caught.value.problem
