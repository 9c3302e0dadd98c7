"""Limits a request's output to a grammar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt


class GrammarFailed(Exception):
    """A grammar cannot be followed any further, because that would take more time or memory than it may."""


class Grammar(Protocol):
    """How far one request's output has come in its grammar.

    End-of-generation tokens are allowed where the text may end. Other tokens are allowed if their bytes can go on;
    those without bytes only where the grammar names them.
    """

    def allows(self, token: int) -> bool:
        """Whether a token may come next. Changes nothing.

        Raises:
            GrammarFailed: it cannot be told.
        """

    def mask(self, logits: npt.NDArray[np.float32]) -> None:
        """Set the logits of all tokens that may not come next to -inf.

        Args:
            logits: shape (n_vocab,), float32, writable; changed in place.

        Raises:
            GrammarFailed: it cannot be told.
        """

    def accept(self, token: int) -> None:
        """Go on by a token that is allowed and does not end the text.

        Raises:
            ValueError: the token is not allowed, or ends the text.
            GrammarFailed: it cannot go on; nothing but ``close`` may be called afterwards.
        """

    def close(self) -> None:
        """Free what the grammar holds. May be called again; nothing else may be called afterwards."""


class DeferredGrammar:
    """A ``Grammar`` that limits nothing at first.

    Args:
        grammar: limits what comes afterwards.
        is_waiting: whether anything is allowed still. What it says changes once, between two tokens.
    """

    def __init__(self, grammar: Grammar, is_waiting: Callable[[], bool]) -> None:
        self._grammar = grammar
        self._is_waiting = is_waiting

    def allows(self, token: int) -> bool:
        """Whether a token may come next."""
        return self._is_waiting() or self._grammar.allows(token)

    def mask(self, logits: npt.NDArray[np.float32]) -> None:
        """Ban all tokens that may not come next."""
        if not self._is_waiting():
            self._grammar.mask(logits)

    def accept(self, token: int) -> None:
        """Go on by a token."""
        if not self._is_waiting():
            self._grammar.accept(token)

    def close(self) -> None:
        """Free what the grammar holds."""
        self._grammar.close()


class GrammarMaker(Protocol):
    """Makes grammars of GBNF: the vocabulary of a model."""

    def grammar(self, text: str) -> Grammar:
        """A new grammar at its beginning; raises GrammarError if it cannot be used."""


class Guide(Protocol):
    """What limits the outputs of a request, checked; each of them follows a grammar of its own."""

    @property
    def field(self) -> str:
        """Path of the field in the request that asks for it."""

    @property
    def gbnf(self) -> str:
        """The grammar as GBNF, empty if it is in another language."""

    def start(self, vocabulary: GrammarMaker) -> Grammar:
        """A new grammar at its beginning, to be closed before the model. Belongs to the model's thread.

        Args:
            vocabulary: that of the model.

        Raises:
            GrammarError: the grammar cannot be used.
        """
