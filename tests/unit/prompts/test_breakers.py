"""Texts that break repetitions, in tokens."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from service.prompts.breakers import MAX_BYTES, MAX_TAIL, BreakerFinder
from tests.support.scripted_core import ByteVocabulary

WORDS = {250: b"a:b", 251: b"x\n", 252: b"one st", 253: b"stop", 254: b"<end>"}


@dataclass(frozen=True)
class Words(ByteVocabulary):
    """Bytes, and a few words in place of the last of them."""

    asked: list[int] = field(default_factory=list)

    def token_bytes(self, token: int, special: bool = False) -> bytes:
        """The word of a token."""
        self.asked.append(token)
        return WORDS.get(token) or super().token_bytes(token, special)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (":", {58: ((),), 250: ((),)}),
        ("\n", {10: ((),), 251: ((),)}),
        # "s", or what ends with it or with more of it, and the rest in tokens.
        ("stop", {115: ((116, 111, 112),), 252: ((111, 112),), 253: ((),)}),
        ("", {}),
    ],
)
def test_a_text_is_found_in_tokens_and_across_them(text: str, expected: dict[int, object]) -> None:
    assert BreakerFinder(Words()).find((text,)) == expected


def test_several_texts_are_found_together() -> None:
    found = BreakerFinder(Words()).find(("st", "sx", ":"))
    assert found[115] == ((116,), (120,))
    assert found[252] == ((),)
    assert found[58] == ((),)


def test_of_a_long_text_the_beginning_counts() -> None:
    found = BreakerFinder(Words()).find(("y" + "z" * 100,))
    assert found == {ord("y"): ((ord("z"),) * min(MAX_TAIL, MAX_BYTES - 1),)}


def test_a_list_of_texts_is_looked_for_once() -> None:
    vocabulary = Words()
    finder = BreakerFinder(vocabulary)
    first = finder.find((":",))
    n_asked = len(vocabulary.asked)
    assert finder.find((":",)) is first
    finder.find(("\n",))
    assert len(vocabulary.asked) == n_asked
