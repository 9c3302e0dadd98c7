"""Pairs of a query and a document in tokens."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from service.prompts.pairs import PairTokenizer
from service.testing.scripted_model import BOS, EOS
from tests.support.scripted_core import ByteVocabulary

SEP = 200


@dataclass(frozen=True)
class Recording(ByteVocabulary):
    """Bytes, and what was tokenised; with SEP as BERT has it."""

    sep_token: int | None = SEP
    asked: list[str] = field(default_factory=list)

    def tokenize(self, text: str, *, parse_special: bool) -> list[int]:
        """One token per byte."""
        self.asked.append(text)
        return super().tokenize(text, parse_special=parse_special)


def ids(text: str) -> list[int]:
    return list(text.encode())


@pytest.mark.parametrize(
    ("vocabulary", "expected"),
    [
        (Recording(), [*ids("q"), *ids("d")]),
        (Recording(adds_bos=True, adds_eos=True), [BOS, *ids("q"), EOS, *ids("d"), EOS]),
        (Recording(adds_bos=True, adds_sep_to_pairs=True), [BOS, *ids("q"), SEP, *ids("d")]),
        (Recording(adds_bos=True, adds_eos=True, adds_sep_to_pairs=True), [BOS, *ids("q"), EOS, SEP, *ids("d"), EOS]),
    ],
)
def test_a_pair_has_what_the_vocabulary_wants_around_its_texts(vocabulary: Recording, expected: list[int]) -> None:
    assert PairTokenizer("q", vocabulary, None).tokenize("d", vocabulary) == expected


def test_a_query_that_stands_by_itself_is_tokenised_once() -> None:
    vocabulary = Recording(adds_bos=True)
    pairs = PairTokenizer("query", vocabulary, None)
    assert [pairs.tokenize(document, vocabulary)[pairs.n_head :] for document in "ab"] == [ids("a"), ids("b")]
    assert vocabulary.asked == ["query", "a", "b"]


def test_a_template_has_both_texts_in_their_places_and_names_special_tokens() -> None:
    vocabulary = Recording(adds_bos=True)
    pairs = PairTokenizer("q", vocabulary, "<bos>{query}|{document}|{query}")
    assert pairs.tokenize("d", vocabulary) == [BOS, *ids("q|d|q")]


@pytest.mark.parametrize("template", [None, "<bos>{query}|{document}|{query}", "{document}{document}", "{query}"])
def test_tokens_of_a_document_stand_where_its_text_would(template: str | None) -> None:
    vocabulary = Recording(adds_bos=True, adds_eos=True)
    pairs = PairTokenizer("q", vocabulary, template)
    assert pairs.around(ids("doc"), vocabulary) == pairs.tokenize("doc", vocabulary)


def test_no_more_of_a_document_is_tokenised_than_is_needed() -> None:
    pairs = PairTokenizer("q", Recording(), None)
    assert pairs.tokenize_document("abcdef", Recording(), 3)[:4] == ids("abcd")


def test_a_text_with_the_name_of_a_place_in_it_stays_as_it_is() -> None:
    vocabulary = Recording()
    pairs = PairTokenizer("{document}", vocabulary, "{query} {document}")
    assert pairs.tokenize("{query}", vocabulary) == ids("{document} {query}")
