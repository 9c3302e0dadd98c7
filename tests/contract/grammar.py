"""What every ``Grammar`` must do. Subclass ``GrammarContract``; it needs fixtures ``vocabulary`` and ``yes_no``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Set

    from service.sampling.grammar import Grammar


class Tokens(Protocol):
    """What the tests need of a vocabulary whose tokens are bytes, and some more."""

    @property
    def n_vocab(self) -> int: ...

    @property
    def eog_tokens(self) -> Set[int]: ...

    def token_bytes(self, token: int) -> bytes: ...


def allowed(grammar: Grammar, vocabulary: Tokens) -> set[int]:
    """The tokens that may come next, by mask and by test, which must agree."""
    row = np.arange(vocabulary.n_vocab, dtype=np.float32)
    kept = row.copy()
    grammar.mask(row)
    by_mask = set(np.flatnonzero(row > -np.inf).tolist())
    assert np.array_equal(row[list(by_mask)], kept[list(by_mask)])
    assert by_mask == {token for token in range(vocabulary.n_vocab) if grammar.allows(token)}
    return by_mask


def token_of(vocabulary: Tokens, data: bytes) -> int:
    return next(token for token in range(vocabulary.n_vocab) if vocabulary.token_bytes(token) == data)


def pieces(vocabulary: Tokens, tokens: set[int]) -> set[bytes]:
    """Their bytes; none for ends of the text."""
    return {b"" if token in vocabulary.eog_tokens else vocabulary.token_bytes(token) for token in tokens}


class GrammarContract:
    """All tests. ``yes_no`` makes grammars that allow "yes" and "no"."""

    def test_a_grammar_begins_with_what_it_allows(self, vocabulary: Tokens, yes_no: Callable[[], Grammar]) -> None:
        assert pieces(vocabulary, allowed(yes_no(), vocabulary)) == {b"y", b"n"}

    def test_a_grammar_goes_on_by_what_is_accepted(self, vocabulary: Tokens, yes_no: Callable[[], Grammar]) -> None:
        grammar = yes_no()
        grammar.accept(token_of(vocabulary, b"y"))
        assert pieces(vocabulary, allowed(grammar, vocabulary)) == {b"e"}
        grammar.accept(token_of(vocabulary, b"e"))
        grammar.accept(token_of(vocabulary, b"s"))
        assert allowed(grammar, vocabulary) == set(vocabulary.eog_tokens)

    def test_masks_and_tests_change_nothing(self, vocabulary: Tokens, yes_no: Callable[[], Grammar]) -> None:
        grammar = yes_no()
        first = allowed(grammar, vocabulary)
        assert allowed(grammar, vocabulary) == first
        grammar.accept(token_of(vocabulary, b"n"))
        assert pieces(vocabulary, allowed(grammar, vocabulary)) == {b"o"}

    def test_grammars_do_not_know_each_other(self, vocabulary: Tokens, yes_no: Callable[[], Grammar]) -> None:
        one, other = yes_no(), yes_no()
        one.accept(token_of(vocabulary, b"y"))
        other.accept(token_of(vocabulary, b"n"))
        assert pieces(vocabulary, allowed(one, vocabulary)) == {b"e"}
        assert pieces(vocabulary, allowed(other, vocabulary)) == {b"o"}

    def test_what_is_not_allowed_is_not_accepted(self, vocabulary: Tokens, yes_no: Callable[[], Grammar]) -> None:
        grammar = yes_no()
        for token in (token_of(vocabulary, b"x"), min(vocabulary.eog_tokens)):
            with pytest.raises(ValueError, match=f"token {token} ends the text, or the grammar does not allow it"):
                grammar.accept(token)
        # Nothing has changed.
        assert pieces(vocabulary, allowed(grammar, vocabulary)) == {b"y", b"n"}

    def test_the_end_is_not_accepted_even_where_it_is_allowed(
        self, vocabulary: Tokens, yes_no: Callable[[], Grammar]
    ) -> None:
        grammar = yes_no()
        for data in (b"n", b"o"):
            grammar.accept(token_of(vocabulary, data))
        for token in vocabulary.eog_tokens:
            with pytest.raises(ValueError, match="ends the text"):
                grammar.accept(token)
        assert allowed(grammar, vocabulary) == set(vocabulary.eog_tokens)

    def test_a_mask_leaves_bans_as_they_are(self, vocabulary: Tokens, yes_no: Callable[[], Grammar]) -> None:
        row = np.zeros(vocabulary.n_vocab, np.float32)
        row[token_of(vocabulary, b"y")] = -np.inf
        yes_no().mask(row)
        assert pieces(vocabulary, set(np.flatnonzero(row == 0).tolist())) == {b"n"}

    def test_closing_may_be_repeated(self, yes_no: Callable[[], Grammar]) -> None:
        grammar = yes_no()
        grammar.close()
        grammar.close()
