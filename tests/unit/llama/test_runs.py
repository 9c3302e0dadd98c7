"""Long runs are cut, everything else is left alone."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.llama.runs import MAX_RUN, cut_long_runs


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "\u6f22", "1", "!", "\n", " ", "ab ", "a,", "\u3002x"]), st.integers(1, 9000))
    )
)
def test_parts_make_up_the_text_and_have_no_long_run(runs: list[tuple[str, int]]) -> None:
    text = "".join(unit * count for unit, count in runs)
    parts = cut_long_runs(text)
    assert "".join(parts) == text
    assert not any(re.search(rf"\S{{{MAX_RUN + 1}}}|\s{{{MAX_RUN + 1}}}", part) for part in parts)


@pytest.mark.parametrize(
    "text",
    ["", "short", "x" * MAX_RUN, "word " * 10_000, ("y" * MAX_RUN + " ") * 3],
    ids=["nothing", "short", "longest run", "prose", "longest runs"],
)
def test_texts_without_a_long_run_stay_whole(text: str) -> None:
    assert cut_long_runs(text) == [text]


def test_a_cut_is_made_in_front_of_punctuation_if_there_is_any() -> None:
    parts = cut_long_runs("\u6f22\u5b57\u3002" * 3000)
    assert len(parts) > 1
    assert all(part.startswith("\u3002") for part in parts[1:])
