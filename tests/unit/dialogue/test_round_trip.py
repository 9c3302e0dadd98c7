"""Answers that a template writes as a turn are read as what they were, for one template of each style."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.dialogue.chat_format import CallFormat, CallStyle, ChatFormat
from service.dialogue.known_formats import KNOWN_FORMATS
from service.dialogue.template.analysis import analyse
from service.dialogue.template.probes import Probe, Render
from service.dialogue.writing import WrittenCall, write_calls
from tests.support.chat_templates import PLAIN, TEMPLATES, renderer_of
from tools.check_templates import allows
from tools.round_trip import Answer, failures, parsed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.dialogue.history import Turn

ENDS = ("<|im_end|>", "<|call|>", "<|calls|>")
SOURCES = {name: template.source for name, template in TEMPLATES.items()} | {"plain": PLAIN}
#: Gemma's template writes objects in its own notation, which this small one does not.
EXCEPTIONS = {"gemma4": {"types"}}


def rendered(render: Render, turns: Sequence[Turn], tools: Sequence[Any] | None, opens: bool, _: bool) -> str | None:
    return render(Probe(turns, tools, opens))


@pytest.mark.parametrize("name", SOURCES)
def test_answers_come_back_as_they_were(name: str) -> None:
    render = renderer_of(SOURCES[name])
    form = analyse(SOURCES[name], render, end_names=ENDS)
    found = failures(form, partial(rendered, render), ENDS, allows)
    assert {case: failure for case, failure in found.items() if case not in EXCEPTIONS.get(name, ())} == {}


WRITABLE = {
    name: known for name, known in KNOWN_FORMATS.items() if known.calls.style not in (CallStyle.NONE, CallStyle.HARMONY)
}
#: Between raw marks there is no way to write the mark itself, and blanks at the edges belong to the marks.
TEXTS = st.text(st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="<>[]|`,\uff5c"), min_size=1)
ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "text": TEXTS.map(str.strip).filter(bool),
        "number": st.integers(-(10**9), 10**9),
        "flag": st.booleans(),
        "list": st.lists(st.integers(), max_size=3),
    },
)
CALLS = st.lists(st.tuples(st.sampled_from(["look_up", "send-mail"]), ARGUMENTS), min_size=1, max_size=3)


@cache
def parseable(name: str) -> ChatFormat:
    return replace(WRITABLE[name], content=None)


@pytest.mark.parametrize("name", WRITABLE)
@given(calls=CALLS)
def test_calls_that_are_written_are_read(name: str, calls: list[tuple[str, dict[str, Any]]]) -> None:
    form = parseable(name)
    if not form.history.parallel:
        calls = calls[:1]
    if form.calls.style is CallStyle.PYTHON:
        calls = [(function.replace("-", "_"), arguments) for function, arguments in calls if function == "look_up"]
    text = write_calls([WrittenCall(function, arguments, "id") for function, arguments in calls], form.calls)
    assert parsed(form, text) == Answer(calls=tuple(calls))


def test_styles_without_a_text_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="harmony"):
        write_calls([WrittenCall("f", {})], CallFormat(CallStyle.HARMONY))
    assert write_calls([], CallFormat(CallStyle.HARMONY)) == ""
