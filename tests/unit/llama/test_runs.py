"""Long runs are cut, everything else is left alone."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.llama.runs import MAX_RUN, cut_long_runs

UNITS = ["a", "\u6f22", "1", "!", "\n", " ", "ab ", "a,", "\u3002x", "\x1c!", "c d ", "\x85"]


@given(st.lists(st.tuples(st.sampled_from(UNITS), st.integers(1, 9000))))
def test_parts_make_up_the_text_and_have_no_long_run(runs: list[tuple[str, int]]) -> None:
    text = "".join(unit * count for unit, count in runs)
    parts = cut_long_runs(text)
    assert "".join(parts) == text
    for part in parts:
        # Digits end phrases, but are of \w.
        for run in re.findall(r"[^ \n\x85]+|[ \n\x85]+", part) + re.findall(r"[ \w\u3002]+", part.replace("1", "!")):
            assert len(run) <= MAX_RUN


@pytest.mark.parametrize(
    "text",
    ["", "short", "x" * MAX_RUN, "some words, " * 10_000, ("y" * MAX_RUN + "\n") * 3, ("z y " * 1024 + "0") * 3],
    ids=["nothing", "short", "longest run", "prose", "longest runs", "longest phrases"],
)
def test_texts_without_a_long_run_stay_whole(text: str) -> None:
    assert cut_long_runs(text) == [text]


def test_a_cut_is_made_in_front_of_punctuation_if_there_is_any() -> None:
    parts = cut_long_runs("\u6f22\u5b57\u3002" * 3000)
    assert len(parts) > 1
    assert all(part.startswith("\u3002") for part in parts[1:])


def test_words_are_cut_in_front_of_a_space() -> None:
    parts = cut_long_runs("word " * 3000)
    assert len(parts) > 1
    assert all(part.startswith(" word") for part in parts[1:])


@pytest.mark.parametrize("offset", range(-13, 3))
def test_names_stay_whole(offset: int) -> None:
    name = "<|im_start|>"
    text = "x" * (MAX_RUN + offset) + name + "y" * MAX_RUN * 2
    assert sum(part.count(name) for part in cut_long_runs(text, {name, "<|im_end|>"})) == 1


def test_names_in_a_row_are_cut_between() -> None:
    parts = cut_long_runs("<eos>" * 5000, {"<eos>"})
    assert sum(part.count("<eos>") for part in parts) == 5000
