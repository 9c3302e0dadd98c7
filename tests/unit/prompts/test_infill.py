"""Infill prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.errors import NotSupported
from service.prompts.infill import tokenize_infill
from service.testing.scripted_model import BOS, EOS
from tests.support.scripted_core import ByteVocabulary, FimTokens

if TYPE_CHECKING:
    from service.prompts.prompt import Part

MARKS = FimTokens()
PLAIN = ByteVocabulary(fim_tokens=MARKS)
BLANKS = ByteVocabulary(fim_tokens=MARKS, puts_blanks=True)
BLANK = ord(" ")


@pytest.mark.parametrize(
    ("prefix", "suffix", "tokens"),
    [
        ([], [], [BOS, MARKS.prefix, MARKS.suffix, MARKS.middle]),
        (["ab"], ["cd"], [BOS, MARKS.prefix, 97, 98, MARKS.suffix, 99, 100, MARKS.middle]),
        ([""], ["cd"], [BOS, MARKS.prefix, MARKS.suffix, 99, 100, MARKS.middle]),
        (["ab"], [], [BOS, MARKS.prefix, 97, 98, MARKS.suffix, MARKS.middle]),
        (["a", (7, 8), "b"], [(9,)], [BOS, MARKS.prefix, 97, 7, 8, 98, MARKS.suffix, 9, MARKS.middle]),
        (["<eos>"], ["<bos>"], [BOS, MARKS.prefix, EOS, MARKS.suffix, BOS, MARKS.middle]),
        # A blank that the caller wrote is a blank.
        ([" a"], [" b"], [BOS, MARKS.prefix, BLANK, 97, MARKS.suffix, BLANK, 98, MARKS.middle]),
    ],
)
def test_the_parts_stand_behind_their_marks(prefix: list[Part], suffix: list[Part], tokens: list[int]) -> None:
    assert tokenize_infill(prefix, suffix, PLAIN) == tokens


@pytest.mark.parametrize(
    ("suffix", "tokens"),
    [
        (["b"], [98]),
        ([" b"], [BLANK, 98]),
        ([(BLANK, 5)], [BLANK, 5]),
        (["", (BLANK, 5)], [BLANK, 5]),
        (["b", "c"], [98, BLANK, 99]),
        ([""], []),
        ([], []),
    ],
)
def test_the_blank_that_tokenising_puts_before_the_suffix_is_left_out(suffix: list[Part], tokens: list[int]) -> None:
    whole = tokenize_infill(["a"], suffix, BLANKS)
    assert whole == [BOS, MARKS.prefix, BLANK, 97, MARKS.suffix, *tokens, MARKS.middle]


@pytest.mark.parametrize(("adds_bos", "bos_token"), [(False, BOS), (True, BOS), (False, None)])
def test_the_prompt_begins_with_the_models_bos_if_it_has_one(adds_bos: bool, bos_token: int | None) -> None:
    vocabulary = ByteVocabulary(fim_tokens=MARKS, adds_bos=adds_bos, bos_token=bos_token)
    head = [] if bos_token is None else [BOS]
    assert tokenize_infill([], [], vocabulary) == [*head, MARKS.prefix, MARKS.suffix, MARKS.middle]


def test_a_model_without_marks_cannot_do_it() -> None:
    with pytest.raises(NotSupported, match="no fill-in-the-middle tokens"):
        tokenize_infill(["a"], ["b"], ByteVocabulary())
