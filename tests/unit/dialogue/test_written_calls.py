"""Calls that are written in a format are read again, for all formats and arguments."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.dialogue.chat_format import CallStyle
from service.dialogue.known_formats import KNOWN_FORMATS
from service.dialogue.tools import Tool
from service.dialogue.writing import WrittenCall, write_calls
from tests.support.parsed import parse

PARAMETERS = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "number": {"type": "number"},
        "flag": {"type": "boolean"},
        "list": {"type": "array"},
        "object": {"type": "object"},
    },
}
TOOLS = (Tool("look_up", PARAMETERS), Tool("look", PARAMETERS))
#: Letters that markers consist of are among them, but no whole marker can come of it.
_TEXTS = st.text(alphabet=st.sampled_from("ab 1\"'\\{}[]:,é😀\n"), max_size=12)
_NAMES = st.sampled_from(["a", "b_1", "c"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=2),
    max_leaves=5,
)
_ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "text": _TEXTS,
        "number": st.integers(-99, 99) | st.sampled_from([0.5, -1.25]),
        "flag": st.booleans(),
        "list": st.lists(_VALUES, max_size=3),
        "object": st.dictionaries(_NAMES, _VALUES, max_size=2),
    },
)
_FORMS = [name for name, form in KNOWN_FORMATS.items() if form.calls.style not in (CallStyle.NONE, CallStyle.HARMONY)]


@pytest.mark.parametrize("name", _FORMS)
@given(st.lists(st.tuples(st.sampled_from([tool.name for tool in TOOLS]), _ARGUMENTS), min_size=1, max_size=3))
def test_calls_come_back_as_they_were(name: str, calls: list[tuple[str, dict[str, object]]]) -> None:
    form = KNOWN_FORMATS[name]
    if not form.history.parallel:
        calls = calls[:1]
    text = write_calls([WrittenCall(tool, arguments, "abcdefghi") for tool, arguments in calls], form.calls)
    parsed = parse(form, [text], tools=TOOLS)
    assert [(call.name, json.loads(call.arguments)) for call in parsed.calls] == calls, text
    assert (parsed.content, parsed.n_complete) == ("", len(calls))
    assert parse(form, text, tools=TOOLS) == parsed
