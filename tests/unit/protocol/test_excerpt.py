"""Excerpts of what others wrote."""

from __future__ import annotations

import pytest

from slotline.protocol.excerpt import excerpt, quoted


@pytest.mark.parametrize(
    ("text", "shown"), [("", ""), ("abc", "abc"), ("abcd", "abcd"), ("abcde", "abcd..."), ("abcdefgh", "abcd...")]
)
def test_what_is_too_long_ends_in_an_ellipsis(text: str, shown: str) -> None:
    assert excerpt(text, 4) == shown


def test_what_cannot_be_printed_is_escaped_behind_the_cut() -> None:
    assert quoted("a\n\x1bbcd", 4) == "'a\\n\\x1bb...'"
