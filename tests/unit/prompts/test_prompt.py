"""Prompt forms to token ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import InvalidArgument
from service.prompts.prompt import (
    Part,
    check_ids,
    detokenize,
    tokenize_embedding_input,
    tokenize_parts,
    tokenize_prompt,
    tokenize_text,
    with_bos,
)
from service.testing.scripted_model import BOS, EOS, N_VOCAB
from tests.support.scripted_core import ByteVocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence

PLAIN = ByteVocabulary()
WITH_BOS = ByteVocabulary(adds_bos=True)
WITH_BOTH = ByteVocabulary(adds_bos=True, adds_eos=True)
WITH_SEP = ByteVocabulary(adds_bos=True, adds_sep=True, sep_token=ord("|"))
WITHOUT_TOKENS = ByteVocabulary(adds_bos=True, adds_eos=True, bos_token=None, eos_token=None)


@pytest.mark.parametrize(
    ("vocabulary", "text", "tokens"),
    [
        (PLAIN, "ab", [97, 98]),
        (PLAIN, "", [32]),
        (WITH_BOS, "ab", [BOS, 97, 98]),
        (WITH_BOS, "", [BOS, 32]),
        (PLAIN, "a<eos>b", [97, EOS, 98]),
        (WITH_BOTH, "ab", [BOS, 97, 98]),
        (WITHOUT_TOKENS, "ab", [97, 98]),
    ],
)
def test_a_text_prompt_gets_bos_and_special_tokens_but_no_eos(
    vocabulary: ByteVocabulary, text: str, tokens: list[int]
) -> None:
    assert tokenize_prompt(text, vocabulary) == tokens


@pytest.mark.parametrize(
    ("parts", "tokens"),
    [
        (["a", "b"], [BOS, 97, 98]),
        (["a", (7, 8), "b"], [BOS, 97, 7, 8, 98]),
        ([(7, 8), "a"], [7, 8, 97]),
        ([(BOS,), "a"], [BOS, 97]),
        (["", "a"], [BOS, 97]),
        ([(), "a"], [97]),
        ([], []),
        ([()], []),
    ],
)
def test_only_a_first_part_that_is_text_gets_bos(parts: Sequence[Part], tokens: list[int]) -> None:
    assert tokenize_parts(parts, WITH_BOS) == tokens


@pytest.mark.parametrize(
    ("vocabulary", "text", "tokens"),
    [
        (PLAIN, "hi", [104, 105]),
        (WITH_BOS, "hi", [BOS, 104, 105]),
        (WITH_BOS, "<bos>hi", [BOS, 104, 105]),
        (WITH_BOS, "<bos><bos>hi", [BOS, BOS, 104, 105]),
        (PLAIN, "<bos>hi", [BOS, 104, 105]),
        (PLAIN, "", []),
    ],
)
def test_a_bos_written_by_the_chat_template_is_not_doubled(
    vocabulary: ByteVocabulary, text: str, tokens: list[int]
) -> None:
    assert with_bos(vocabulary.tokenize(text, parse_special=True), vocabulary) == tokens


@pytest.mark.parametrize(
    ("parts", "add_special", "parse_special", "tokens"),
    [
        (["a"], False, True, [97]),
        ([""], False, True, []),
        ([""], True, True, [BOS, EOS]),
        (["a"], True, True, [BOS, 97, EOS]),
        (["<eos>"], False, True, [EOS]),
        (["<eos>"], False, False, [60, 101, 111, 115, 62]),
        ([(1,), "a"], True, True, [1, 97, EOS]),
        (["a", (1,)], True, True, [BOS, 97, 1]),
        ([(1,), (2,)], True, True, [1, 2]),
        ([], True, True, []),
    ],
)
def test_tokens_for_their_own_sake(
    parts: Sequence[Part], add_special: bool, parse_special: bool, tokens: list[int]
) -> None:
    assert tokenize_text(parts, WITH_BOTH, add_special=add_special, parse_special=parse_special) == tokens


def test_control_tokens_show_only_on_request() -> None:
    assert detokenize([BOS, 97, EOS], PLAIN, skip_special=True) == b"a"
    assert detokenize([BOS, 97, EOS], PLAIN, skip_special=False) == b"<bos>a<eos>"


@given(st.text())
def test_detokenising_gives_the_text_back(text: str) -> None:
    assert detokenize(PLAIN.tokenize(text, parse_special=False), PLAIN, skip_special=True) == text.encode()


@given(st.lists(st.integers(0, N_VOCAB - 1)))
def test_ids_inside_the_vocabulary_are_copied(ids: list[int]) -> None:
    assert check_ids(ids, N_VOCAB, "ids") == tuple(ids)


@given(st.lists(st.integers(0, N_VOCAB - 1)), st.integers(N_VOCAB, 2**32 - 1), st.lists(st.integers(0, 2**32 - 1)))
def test_the_first_id_outside_the_vocabulary_is_named(before: list[int], bad: int, after: list[int]) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_ids([*before, bad, *after], N_VOCAB, "token_ids.ids")
    assert caught.value.field == f"token_ids.ids[{len(before)}]"
    assert str(bad) in caught.value.problem
    assert "0 to 257" in caught.value.problem


@pytest.mark.parametrize(
    ("vocabulary", "parts", "tokens"),
    [
        (PLAIN, ["ab"], [97, 98]),
        (WITH_BOS, ["ab"], [BOS, 97, 98]),
        (WITH_BOTH, ["ab"], [BOS, 97, 98, EOS]),
        (WITH_SEP, ["ab"], [BOS, 97, 98, ord("|")]),
        (WITH_SEP, ["a<eos>"], [BOS, 97, EOS, ord("|")]),
        (WITHOUT_TOKENS, ["ab"], [97, 98]),
        (WITH_SEP, [""], [BOS, 32, ord("|")]),
        (PLAIN, ["", ""], [32]),
        (WITH_SEP, ["", "a"], [BOS, 97, ord("|")]),
        (WITH_SEP, [(7, 8)], [7, 8]),
        (WITH_SEP, [(7,), "a"], [7, 97, ord("|")]),
        (WITH_SEP, ["a", (7,)], [BOS, 97, 7]),
        (WITH_SEP, [()], []),
        (WITH_SEP, [], []),
    ],
)
def test_an_input_to_embed_gets_what_the_model_puts_around_text(
    vocabulary: ByteVocabulary, parts: Sequence[Part], tokens: list[int]
) -> None:
    assert tokenize_embedding_input(parts, vocabulary) == tokens
