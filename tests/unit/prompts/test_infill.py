"""Infill prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.errors import NotSupported
from service.prompts.infill import Repository, RepositoryFile, tokenize_infill, tokenize_repository
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


REPOSITORY_MARKS = FimTokens(repository=4, file=5)
REPOSITORY = Repository("r", (RepositoryFile("f", "x"), RepositoryFile("g", "<eos>")), "h")


def codes(text: str) -> list[int]:
    return list(text.encode())


def repository_prompt(vocabulary: ByteVocabulary, n_room: int = 1000) -> list[int]:
    return tokenize_repository(REPOSITORY, ["a"], ["b"], vocabulary, n_room=n_room)


def test_files_stand_behind_the_marks_of_repositories_and_files_and_before_the_bos() -> None:
    vocabulary = ByteVocabulary(fim_tokens=REPOSITORY_MARKS, adds_bos=True)
    assert repository_prompt(vocabulary) == [
        *(4, *codes("r\n")),
        *(5, *codes("f\n"), *codes("x")),
        *(5, *codes("g\n"), *codes("<eos>")),
        *(5, *codes("h\n")),
        *(BOS, MARKS.prefix, *codes("a"), MARKS.suffix, *codes("b"), MARKS.middle),
    ]


def test_without_marks_a_line_sets_files_apart_and_none_has_a_name() -> None:
    assert repository_prompt(PLAIN) == [
        *codes("\n\n--- snippet ---\n\nx"),
        *codes("\n\n--- snippet ---\n\n<eos>"),
        *(MARKS.prefix, *codes("a"), MARKS.suffix, *codes("b"), MARKS.middle),
    ]


@pytest.mark.parametrize(("n_room", "n_left"), [(8, 3), (5, 0), (0, 0)])
def test_the_beginning_of_files_that_do_not_fit_is_left_out(n_room: int, n_left: int) -> None:
    vocabulary = ByteVocabulary(fim_tokens=REPOSITORY_MARKS)
    whole = repository_prompt(vocabulary)
    assert repository_prompt(vocabulary, n_room) == whole[len(whole) - 5 - n_left :]


@pytest.mark.parametrize(("n_room", "n_tokenised"), [(0, 0), (5, 0), (8, 1), (9, 2)])
def test_files_that_are_left_out_whole_are_not_tokenised(n_room: int, n_tokenised: int) -> None:
    asked: list[str] = []

    class Listening(ByteVocabulary):
        def tokenize(self, text: str, *, parse_special: bool) -> list[int]:
            asked.append(text)
            return super().tokenize(text, parse_special=parse_special)

    repository = Repository("r", (RepositoryFile("f", "x" * 1000), RepositoryFile("g", "y")), "h")
    vocabulary = ByteVocabulary(fim_tokens=REPOSITORY_MARKS)
    of_files = Listening(fim_tokens=REPOSITORY_MARKS)
    tokenize_repository(repository, ["a"], ["b"], vocabulary, n_room=n_room, file_vocabulary=of_files)
    assert asked == ["h\n", "y", "g\n"][:n_tokenised]


def test_a_model_without_infill_tokens_takes_no_repository() -> None:
    with pytest.raises(NotSupported):
        repository_prompt(ByteVocabulary())
