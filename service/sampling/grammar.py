"""Limits a request's output to a grammar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt


class Grammar(Protocol):
    """How far one request's output has come in its grammar.

    End-of-generation tokens are allowed where the text may end. Other tokens are allowed if their bytes can go on;
    those without bytes never are.
    """

    def allows(self, token: int) -> bool:
        """Whether a token may come next. Changes nothing."""

    def mask(self, logits: npt.NDArray[np.float32]) -> None:
        """Set the logits of all tokens that may not come next to -inf.

        Args:
            logits: shape (n_vocab,), float32, writable; changed in place.
        """

    def accept(self, token: int) -> None:
        """Go on by a token that is allowed and does not end the text.

        Raises:
            ValueError: the token is not allowed, or ends the text.
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
