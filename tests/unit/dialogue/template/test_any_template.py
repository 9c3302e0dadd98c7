"""Templates that write anything at all: looking into them never fails."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from service.dialogue.chat_format import CallStyle
from service.dialogue.description import describe
from service.dialogue.template.analysis import analyse
from service.dialogue.template.probes import (
    FIRST,
    IDS,
    LEFT,
    NUMBER,
    OTHER_VALUE,
    RESULT,
    RIGHT,
    SECOND,
    SYSTEM,
    TEXT,
    THOUGHT,
    USER,
    VALUE,
    Probe,
)
from service.dialogue.template.tags import common_beginning, common_end, from_first_tag, same_beginning
from service.dialogue.writing import WrittenCall, write_calls
from tests.support.properties import fuzzed

if TYPE_CHECKING:
    import random

WORDS = (FIRST, SECOND, LEFT, RIGHT, VALUE, OTHER_VALUE, str(NUMBER), *IDS, USER, TEXT, THOUGHT, RESULT, SYSTEM)
MARKS = (
    *("<", ">", "[", "]", "{", "}", "(", ")", '"', "'", ":", ",", "=", "\n", " ", "<a>", "</a>", "<|b|>", "[C]", "{}"),
    *('{"name": "', '", "arguments": ', json.dumps({LEFT: VALUE}), f"{FIRST}({LEFT}='{VALUE}')", ":0", "<think>"),
)
PIECES = st.lists(st.sampled_from(WORDS + MARKS), max_size=30).map("".join)


@fuzzed
@given(st.randoms(use_true_random=False), st.lists(PIECES | st.none(), min_size=1, max_size=6), PIECES)
def test_whatever_a_template_writes_gives_a_format(draw: random.Random, texts: list[str | None], source: str) -> None:
    def render(probe: Probe) -> str | None:
        text = draw.choice(texts)
        return text if text is None else f"{USER}{text}"

    found = analyse(source, render, end_names=("<|b|>",))
    assert found.calls.style is not CallStyle.NONE
    json.dumps(describe(found))
    if found.calls.style is not CallStyle.HARMONY:
        assert FIRST in write_calls([WrittenCall(FIRST, {LEFT: VALUE})], found.calls)


TAGGED = st.lists(st.sampled_from(["<", ">", "[", "]", "a", "b", "<a>", "[b]", " "]), max_size=12).map("".join)


@fuzzed
@given(TAGGED, TAGGED, TAGGED)
def test_common_parts_are_parts_of_all(first: str, second: str, third: str) -> None:
    texts = (first, second, third)
    beginning, end, same = common_beginning(*texts), common_end(*texts), same_beginning(*texts)
    for text in texts:
        assert text.startswith(beginning)
        assert text.endswith(end)
        assert text.startswith(same)
    assert same.startswith(beginning)
    assert len({text[len(same) : len(same) + 1] for text in texts}) > 1 or same == first
    assert first.endswith(from_first_tag(first))
