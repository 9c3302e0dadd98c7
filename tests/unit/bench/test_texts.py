"""Texts of a known length."""

from __future__ import annotations

from bench.copying import copied_share
from bench.harness.texts import text_of


def test_a_text_has_its_length_and_is_the_same_every_time() -> None:
    assert len(text_of(540, 3).split()) == 540
    assert text_of(540, 3) == text_of(540, 3)


def test_texts_differ_before_a_cache_can_help() -> None:
    assert len({" ".join(text_of(100, number).split()[:8]) for number in range(2000)}) == 2000


def test_the_copied_share_counts_runs_of_the_prompt() -> None:
    assert copied_share("abcdefgh", "xx abcdefgh xx", length=4) == 1.0
    assert copied_share("abcd????", "abcd", length=4) == 0.2
    assert copied_share("abc", "abc", length=4) == 0.0
