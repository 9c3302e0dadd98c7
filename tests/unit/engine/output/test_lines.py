"""Line breaks, and the limits that depend on them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.output.lines import Lines


def push_all(lines: Lines, pieces: list[str]) -> tuple[str, bool]:
    """Feed pieces until the text ends; the text, and whether it has ended."""
    text = ""
    for piece in pieces:
        kept, is_over = lines.push(piece, 0.0)
        text += kept
        if is_over:
            return text, True
    return text, False


@pytest.mark.parametrize(
    ("pieces", "min_indent", "text"),
    [
        (["a\n", "    b\n", "c"], 4, "a\n    b\n"),
        (["a\n  ", "  b", "\n   c"], 4, "a\n    b\n   "),
        (["a\n\t\tb\n\tc"], 2, "a\n\t\tb\n\t"),
        (["a\n  b\n", "\n  c"], 2, "a\n  b\n"),
        (["\n", "b"], 1, "\n"),
    ],
)
def test_a_text_ends_where_a_line_is_indented_too_little(pieces: list[str], min_indent: int, text: str) -> None:
    lines = Lines(min_indent)
    assert push_all(lines, pieces) == (text, True)
    assert lines.has_break


@pytest.mark.parametrize("pieces", [["not indented"], ["a\n  b", " c\n    d"], ["a\n", "  "]])
def test_the_first_line_and_lines_with_enough_blanks_go_on(pieces: list[str]) -> None:
    assert push_all(Lines(2), pieces) == ("".join(pieces), False)


@given(text=st.text("ab \t\n", max_size=40), cuts=st.lists(st.integers(0, 40)), min_indent=st.integers(0, 3))
def test_it_does_not_matter_how_a_text_is_divided(text: str, cuts: list[int], min_indent: int) -> None:
    ends = [*sorted({cut for cut in cuts if cut < len(text)}), len(text)]
    pieces = [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]

    assert push_all(Lines(min_indent), pieces) == push_all(Lines(min_indent), [text])


def test_a_time_limit_waits_for_a_line_break() -> None:
    lines = Lines(limit_s=2.0)
    assert lines.push("a\nb", 2.0) == ("a\nb", False)
    assert lines.push("late", 9.0) == ("late", False)
    assert lines.push("r\n", 9.0) == ("r\n", True)


def test_a_line_break_is_noted_without_any_limit() -> None:
    lines = Lines()
    assert lines.push("a", 0.0) == ("a", False)
    assert not lines.has_break
    assert lines.push("b\nc", 1e9) == ("b\nc", False)
    assert lines.has_break
