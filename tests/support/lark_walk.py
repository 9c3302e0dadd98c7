"""Walks through grammars of llguidance, character by character, without a model."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

import numpy as np
from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

_EOS = 256
_PRINTABLE = [*range(32, 127), ord("\n")]
#: How much more often than others a character is chosen that may end something.
_WEIGHTS = dict.fromkeys('"}<>]\n', 8)


class _Bytes:
    """A vocabulary of bytes, an end-of-generation token, and control tokens."""

    def __init__(self, controls: tuple[str, ...]) -> None:
        names = ["<eos>", *controls]
        self.tokens = [bytes([byte]) for byte in range(256)] + [name.encode() for name in names]
        self.eos_token_id = self.bos_token_id = _EOS
        self.special_token_ids = list(range(_EOS, _EOS + len(names)))

    def __call__(self, text: str | bytes) -> list[int]:
        return list(text.encode() if isinstance(text, str) else text)


@functools.cache
def _tokenizer(controls: tuple[str, ...]) -> LLTokenizer:
    vocabulary = _Bytes(controls)
    return LLTokenizer(TokenizerWrapper(vocabulary), n_vocab=len(vocabulary.tokens), eos_token=[_EOS])


def token_ids(controls: Iterable[str]) -> dict[str, int]:
    """Ids of control tokens in the vocabulary of walks."""
    return {name: _EOS + 1 + index for index, name in enumerate(controls)}


class Walk:
    """One way through a grammar.

    Args:
        lark: the grammar.
        controls: names of the control tokens.
    """

    def __init__(self, lark: str, controls: Iterable[str] = ()) -> None:
        self._controls = tuple(controls)
        self._matcher = LLMatcher(_tokenizer(self._controls), LLMatcher.grammar_from_lark(lark), log_level=0)
        assert not self._matcher.is_error(), f"{self._matcher.get_error()}\n{lark}"
        self._data = bytearray()

    @property
    def text(self) -> str:
        """What was said so far, with control tokens by their names."""
        return self._data.decode()

    @property
    def may_end(self) -> bool:
        """Whether the text may end here."""
        return bool(self._matcher.is_accepting())

    def say(self, text: str) -> bool:
        """Go on by a text, as far as it is allowed; whether all of it is."""
        names = "|".join(map(re.escape, self._controls))
        ids = token_ids(self._controls)
        parts = re.split(f"({names})", text) if names else [text]
        return all(self._take(token) for part in parts for token in ([ids[part]] if part in ids else part.encode()))

    def wander(self, random: Random, n_steps: int = 800) -> bool:
        """Go on at random, to an end if one comes in time; whether one did."""
        for _ in range(n_steps):
            allowed = self._allowed()
            if self.may_end and (random.random() < 0.5 or not allowed):
                return True
            assert allowed, f"stuck behind {self._data!r}"
            weights = [30 if token > _EOS else _WEIGHTS.get(chr(token), 1) for token in allowed]
            (token,) = random.choices(allowed, weights)
            assert self._take(token)
        return False

    def _take(self, token: int) -> bool:
        if self._matcher.validate_tokens([token]) != 1:
            return False
        assert self._matcher.consume_token(token)
        self._data += bytes([token]) if token < _EOS else self._controls[token - _EOS - 1].encode()
        return True

    def _allowed(self) -> list[int]:
        words = np.empty((_EOS + 32 + len(self._controls)) // 32, np.uint32)
        self._matcher.unsafe_compute_mask_ptr(words.ctypes.data, words.nbytes)
        bits = np.unpackbits(words.view(np.uint8), bitorder="little")
        allowed = [token for token in (*_PRINTABLE, *token_ids(self._controls).values()) if bits[token]]
        # Others only where a marker wants them: they would have to be whole characters.
        return allowed or [byte for byte in range(128, 256) if bits[byte]]
