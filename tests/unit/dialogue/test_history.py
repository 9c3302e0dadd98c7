"""Earlier turns as templates want to see them."""

from __future__ import annotations

import copy
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.dialogue.call_ids import CallIdMap
from service.dialogue.chat_format import HERMES, CallFormat, CallIds, CallStyle, ChatFormat, HistoryFormat
from service.dialogue.history import adapted

if TYPE_CHECKING:
    from service.dialogue.history import Turn

USER: Turn = {"role": "user", "content": "Both?"}


def call(name: str, identity: str = "", **arguments: Any) -> dict[str, Any]:
    """A call."""
    made: dict[str, Any] = {"type": "function", "function": {"name": name, "arguments": arguments}}
    return {"id": identity, **made} if identity else made


def calling(*calls: dict[str, Any], content: str = "") -> Turn:
    """A turn with calls."""
    return {"role": "assistant", "content": content, "tool_calls": list(calls)}


def result(content: str, identity: str = "", **others: Any) -> Turn:
    """A tool's turn."""
    return {"role": "tool", "content": content, **({"tool_call_id": identity} if identity else {}), **others}


def form(calls: CallFormat = HERMES, **history: Any) -> ChatFormat:
    """A format with such a history."""
    return ChatFormat(calls, history=HistoryFormat(**history))


TWO = [USER, calling(call("f", "a", x=1), call("g", "b")), result("G", "b"), result("F", "a")]


def test_a_result_without_a_name_gets_that_of_its_call() -> None:
    turns = [*TWO, result("other", "zzz"), result("named", "a", name="mine")]
    names = [turn.get("name") for turn in adapted(turns, form())]
    assert names == [None, None, "g", "f", None, "mine"]


def test_calls_that_must_be_alone_get_turns_of_their_own_with_their_results() -> None:
    turns = [USER, calling(*TWO[1]["tool_calls"], content="Let me see."), *TWO[2:], result("lost", "c"), USER]
    assert adapted(turns, form(parallel=False)) == [
        USER,
        calling(call("f", "a", x=1), content="Let me see."),
        result("F", "a", name="f"),
        calling(call("g", "b")),
        result("G", "b", name="g"),
        result("lost", "c"),
        USER,
    ]


def test_arguments_and_content_are_of_the_kinds_that_the_template_wants() -> None:
    turns = [USER, calling(call("f", x="é")), calling(call("f"), content="Hm")]
    _, bare, with_content = adapted(turns, form(arguments_as_text=True, null_content=True))
    assert bare["content"] is None
    assert bare["tool_calls"][0]["function"]["arguments"] == '{"x": "é"}'
    assert with_content["content"] == "Hm"
    assert with_content["tool_calls"][0]["function"]["arguments"] == "{}"


def test_a_text_that_would_hide_calls_gets_a_turn_of_its_own() -> None:
    turns = [USER, {**calling(call("f"), content="Hm"), "reasoning_content": "why"}, calling(call("g"))]
    assert adapted(turns, form(content_beside_calls=False)) == [
        USER,
        {"role": "assistant", "content": "Hm", "reasoning_content": "why"},
        calling(call("f")),
        calling(call("g")),
    ]


def test_reasoning_is_under_the_key_at_which_the_template_looks() -> None:
    turn = {"role": "assistant", "content": "Hm", "reasoning_content": "why"}
    assert adapted([turn], form(reasoning_key="thinking")) == [
        {"role": "assistant", "content": "Hm", "thinking": "why"}
    ]


def test_nine_letters_are_made_of_other_ids_and_the_same_for_call_and_result() -> None:
    turns = [USER, calling(call("f", "call_" + "q" * 24), call("g", "abcDEF123")), result("F", "call_" + "q" * 24)]
    _, called, answered = adapted(turns, form(call_ids=CallIds.NINE))
    first, second = (one["id"] for one in called["tool_calls"])
    assert re.fullmatch("[0-9a-zA-Z]{9}", first)
    assert answered["tool_call_id"] == first
    assert second == "abcDEF123"


def test_numbered_ids_count_the_calls_of_the_conversation() -> None:
    turns = [*TWO, calling(call("f", "a")), result("again", "a"), calling(call("f"))]
    mapped = adapted(turns, form(call_ids=CallIds.NUMBERED))
    ids = [one["id"] for turn in mapped for one in turn.get("tool_calls", ())]
    assert ids == ["functions.f:0", "functions.g:1", "functions.f:2", "functions.f:3"]
    answered = [turn["tool_call_id"] for turn in mapped if turn["role"] == "tool"]
    assert answered == ["functions.g:1", "functions.f:0", "functions.f:2"]


def test_calls_without_ids_stay_so_where_any_will_do() -> None:
    _, called = adapted([USER, calling(call("f"))], form())
    assert "id" not in called["tool_calls"][0]


def test_calls_and_results_are_texts_where_the_template_writes_none() -> None:
    turns = [USER, calling(*TWO[1]["tool_calls"], content="Let me see. "), *TWO[2:], USER]
    assert adapted(turns, form(renders_calls=False, knows_tool_role=False)) == [
        USER,
        {
            "role": "assistant",
            "content": 'Let me see.\n<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>\n'
            '<tool_call>\n{"name": "g", "arguments": {}}\n</tool_call>',
        },
        {"role": "user", "content": "<tool_response>\nG\n</tool_response>\n<tool_response>\nF\n</tool_response>"},
        USER,
    ]


@pytest.mark.parametrize("style", [CallStyle.NONE, CallStyle.HARMONY])
def test_calls_of_a_form_that_is_no_text_are_written_as_hermes(style: CallStyle) -> None:
    _, called = adapted([USER, calling(call("f"))], form(CallFormat(style), renders_calls=False))
    assert called["content"] == '<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>'


HISTORIES = st.builds(
    HistoryFormat,
    arguments_as_text=st.booleans(),
    null_content=st.booleans(),
    parallel=st.booleans(),
    content_beside_calls=st.booleans(),
    call_ids=st.sampled_from(CallIds),
    renders_calls=st.booleans(),
    knows_tool_role=st.booleans(),
    knows_developer=st.just(True),
)
PLAIN = st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant"]), "content": st.text()})
CALLS = st.builds(call, st.sampled_from("fgh"), st.sampled_from(["", "1", "2", "call_3"]), x=st.text())
ANY = st.one_of(
    PLAIN,
    st.builds(lambda calls, content: calling(*calls, content=content), st.lists(CALLS, max_size=3), st.text()),
    st.builds(result, st.text(min_size=1), st.sampled_from(["", "1", "2", "call_3"])),
)


@given(st.lists(PLAIN), HISTORIES)
def test_conversations_without_tools_stay_as_they_are(turns: list[Turn], history: HistoryFormat) -> None:
    assert adapted(turns, ChatFormat(HERMES, history=history)) == turns


@given(st.lists(ANY), HISTORIES)
def test_nothing_is_lost_and_nothing_changed_in_place(turns: list[Turn], history: HistoryFormat) -> None:
    before = copy.deepcopy(turns)
    after = adapted(turns, ChatFormat(HERMES, history=history))
    assert turns == before
    for turn in turns:
        text = turn["content"].strip()
        assert any(text in (one["content"] or "") for one in after)
    n_calls = sum(len(turn.get("tool_calls", ())) for turn in turns)
    if history.renders_calls:
        assert sum(len(turn.get("tool_calls", ())) for turn in after) == n_calls
        if not history.parallel:
            assert all(len(turn.get("tool_calls", ())) < 2 for turn in after)
    else:
        assert not any("tool_calls" in turn and turn["tool_calls"] for turn in after)
    if not history.knows_tool_role:
        assert all(turn["role"] != "tool" for turn in after)


@given(st.lists(st.text(min_size=1), unique=True))
def test_different_ids_stay_different(ids: list[str]) -> None:
    mapping = CallIdMap(CallIds.NINE)
    mapped = [mapping.of_call(one, "f") for one in ids]
    assert len(set(mapped)) == len(ids)
    assert [mapping.of_result(one) for one in ids] == mapped


def test_ids_of_one_kind_do_not_depend_on_the_order() -> None:
    kind = replace(HistoryFormat(), call_ids=CallIds.NINE).call_ids
    assert CallIdMap(kind).of_call("x", "f") == CallIdMap(kind).of_result("x")
