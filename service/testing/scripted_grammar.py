"""Grammars of the scripted model: one rule of literals, ``root ::= "yes" | "no"``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from service.sampling.gbnf import GrammarError, check_grammar

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.engine.language_model import Logits

_LITERAL = re.compile(r'"([^"\\]*)"')
_GRAMMAR = re.compile(r'\s*root ::= "[^"\\]*"(\s*\|\s*"[^"\\]*")*\s*')


class ScriptedGrammar:
    """A ``Grammar`` over bytes.

    Args:
        text: GBNF of the kind above.
        n_vocab, eos: the vocabulary's size, and its only end-of-generation token.
        on_close: called once.

    Raises:
        GrammarError: the grammar is no GBNF, or of another kind.
    """

    def __init__(self, text: str, *, n_vocab: int, eos: int, on_close: Callable[[], None]) -> None:
        check_grammar(text)
        if not _GRAMMAR.fullmatch(text):
            raise GrammarError(1, 1, 'the scripted model knows only grammars like root ::= "yes" | "no"')
        self._rests = [literal.encode() for literal in _LITERAL.findall(text)]
        self._n_vocab = n_vocab
        self._eos = eos
        self._on_close = on_close
        self._is_closed = False

    def allows(self, token: int) -> bool:
        """Whether the byte goes on in a literal, or the end is reached."""
        return token in self._allowed()

    def mask(self, logits: Logits) -> None:
        """Ban all other tokens."""
        banned = np.ones(self._n_vocab, np.bool_)
        banned[list(self._allowed())] = False
        logits[banned] = -np.inf

    def accept(self, token: int) -> None:
        """Go on by a byte."""
        if token == self._eos or token not in self._allowed():
            raise ValueError(f"token {token} ends the text, or the grammar does not allow it here")
        self._rests = [rest[1:] for rest in self._rests if rest[:1] == bytes([token])]

    def close(self) -> None:
        """Tell the model, the first time."""
        if not self._is_closed:
            self._is_closed = True
            self._on_close()

    def _allowed(self) -> set[int]:
        if self._is_closed:
            raise ValueError("the grammar is closed")
        return {rest[0] if rest else self._eos for rest in self._rests}
