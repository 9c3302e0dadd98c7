"""Drafts by lookup: what came next the last time that the text had the same end.

A draft costs nothing to make and is verified in one step (Saxena, "Prompt Lookup Decoding", 2023). It pays for texts
that repeat parts of their prompt or of themselves: edits, extracts, summaries, code.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Tokens that must be the same before a passage counts as being repeated.
MIN_MATCH = 3
#: A longer match is not counted further back: its chance would be the same.
MAX_MATCH = 32
#: A repetition of so many tokens that was left is expected to go on behind one changed token.
MIN_RESUMED = 8
#: Weight of the newest token in the estimate of how often a lookup is right.
SMOOTHING = 0.1
#: How often the next token of a match of length 1, 2 and 3, 4 to 7, 8 to 15, 16 to 31, or more is right, before any was
#: seen. Below ``MIN_MATCH`` are those behind a changed token.
FIRST_CHANCES = (0.5, 0.4, 0.5, 0.8, 0.93, 0.97)
#: Entries of the smallest table, and how many there are at least for each token.
_MIN_SIZE, _SPARSENESS = 1024, 2
#: Factors of the hash of three tokens: odd, and small enough for 64 bits with any vocabulary.
_FACTORS = (0x2545F491, 0x5851F42D, 0x14057B7F)
_SHIFT = 15


class Repetition:
    """Guesses how one sequence goes on, and learns from every token how often it is right, whether it was asked or not.

    Follows one earlier passage of the sequence for as long as it is repeated, and finds one by the last three tokens:
    a constant number of operations for each token, and at most 16 bytes of memory for each.

    Args:
        prompt: the sequence's tokens so far.
    """

    __slots__ = ("_chances", "_length", "_mask", "_source", "_table", "_tokens")

    def __init__(self, prompt: Iterable[int]) -> None:
        self._tokens = list(prompt)
        #: For the hash of each three tokens, the position of what followed them last; 0 for none.
        self._table = array("i")
        self._mask = 0
        #: Position of the token that is expected next, and how many tokens before it are those at the end.
        self._source = self._length = 0
        self._chances = list(FIRST_CHANCES)
        previous = self._index()
        if previous:
            self._follow(previous)

    @property
    def has_guess(self) -> bool:
        """Whether the end of the sequence was there before."""
        return self._length > 0

    def push(self, token: int) -> None:
        """Take the next token of the sequence, and learn from it."""
        length = self._length
        if length:
            kind = _kind(length)
            is_right = self._tokens[self._source] == token
            self._chances[kind] += SMOOTHING * (is_right - self._chances[kind])
            self._source += 1
            if is_right:
                self._length = length + 1
            else:
                # Perhaps one token was replaced, and the rest stays.
                self._length = int(length >= MIN_RESUMED)
        previous = self._append(token)
        if previous and self._length < MIN_MATCH:
            self._follow(previous)

    def expected(self, lengths: Sequence[int]) -> list[float]:
        """How many tokens of drafts of these lengths, given in ascending order, are right on average."""
        results: list[float] = []
        chance, total, position = 1.0, 0.0, 0
        for length in lengths:
            while position < length:
                chance *= self._chances[_kind(self._length + position)] if self._length else 0.0
                total += chance
                position += 1
            results.append(total)
        return results

    def draft(self, length: int) -> list[int]:
        """The next tokens as they were before; none without a guess. What repeats itself is taken to go on so."""
        if not self._length:
            return []
        draft = self._tokens[self._source : self._source + length]
        n_known = len(draft)
        for position in range(n_known, length):
            draft.append(draft[position - n_known])
        return draft

    def _follow(self, previous: int) -> None:
        """Expect what followed at position ``previous``, if the tokens before it are at the end, too."""
        tokens = self._tokens
        end, length, limit = len(tokens), 0, min(previous, MAX_MATCH)
        while length < limit and tokens[previous - 1 - length] == tokens[end - 1 - length]:
            length += 1
        if length >= MIN_MATCH:
            self._source, self._length = previous, length

    def _append(self, token: int) -> int:
        """Append a token; where the last three may have been before, 0 for nowhere."""
        tokens = self._tokens
        tokens.append(token)
        n_tokens = len(tokens)
        if n_tokens < MIN_MATCH:
            return 0
        if n_tokens * _SPARSENESS > len(self._table):
            return self._index()
        first, second, third = _FACTORS
        key = (tokens[-3] * first + tokens[-2] * second + token * third) >> _SHIFT & self._mask
        previous = self._table[key]
        self._table[key] = n_tokens
        return previous

    def _index(self) -> int:
        """Make a table with room to grow; where the last three tokens may have been before, 0 for nowhere."""
        n_tokens = len(self._tokens)
        size = _MIN_SIZE
        while size < 2 * _SPARSENESS * n_tokens:
            size *= 2
        self._mask = size - 1
        table = np.zeros(size, np.int32)
        previous = 0
        if n_tokens >= MIN_MATCH:
            tokens = np.array(self._tokens, np.int64)
            first, second, third = _FACTORS
            keys = (tokens[:-2] * first + tokens[1:-1] * second + tokens[2:] * third) >> _SHIFT & self._mask
            # Of equal keys the last one stays.
            table[keys[:-1]] = np.arange(MIN_MATCH, n_tokens, dtype=np.int32)
            previous = int(table[keys[-1]])
            table[keys[-1]] = n_tokens
        self._table = array("i", table.tobytes())
        return previous


def _kind(length: int) -> int:
    """The index of a match's length in ``FIRST_CHANCES``."""
    return min(length.bit_length(), len(FIRST_CHANCES)) - 1
