"""Drafts by lookup: what came next the last time that the text had the same end.

A draft costs nothing to make and is verified in one step (Saxena, "Prompt Lookup Decoding", 2023). It pays for texts
that repeat parts of their prompt or of themselves: edits, extracts, summaries, code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Lengths of the ends that are looked up, longest first: the longer one is right more often.
NGRAMS = (4, 2)
#: Weight of the newest token in the estimate of how often a lookup is right.
SMOOTHING = 0.15
#: The estimate before anything was seen.
FIRST_GUESS = 0.5
#: Most tokens of a draft.
MAX_DRAFT = 16


class Drafter:
    """Guesses how one sequence goes on, and learns how often it is right.

    Args:
        prompt: the sequence's tokens so far.
    """

    __slots__ = ("_positions", "_precision", "_tokens")

    def __init__(self, prompt: Iterable[int]) -> None:
        self._tokens: list[int] = []
        #: By length, for each n-gram the position of the token that followed it last.
        self._positions: tuple[dict[tuple[int, ...], int], ...] = tuple({} for _ in NGRAMS)
        #: By length, how often the token that had followed came again.
        self._precision = [FIRST_GUESS] * len(NGRAMS)
        for token in prompt:
            self._append(token)

    def push(self, token: int) -> None:
        """Take the next token of the sequence; what a lookup says about it is learned, whether or not it was asked."""
        found = self._find()
        if found is not None:
            kind, position = found
            is_right = self._tokens[position] == token
            self._precision[kind] += SMOOTHING * (is_right - self._precision[kind])
        self._append(token)

    def draft(self, limit: int, price: float) -> list[int]:
        """Tokens that may come next, none if guessing would not pay.

        Args:
            limit: most tokens.
            price: cost of evaluating one token more in a step, in parts of what a token costs without drafts. A
                token is drafted while the chance that it and all before it are right is higher.
        """
        found = self._find()
        if found is None:
            return []
        kind, position = found
        length, chance = 0, self._precision[kind]
        limit = min(limit, MAX_DRAFT, len(self._tokens) - position)
        while length < limit and chance > price:
            length += 1
            chance *= self._precision[kind]
        return self._tokens[position : position + length]

    def _find(self) -> tuple[int, int] | None:
        """The longest n-gram that the sequence ended in before: its kind, and the position of what followed."""
        for kind, (length, positions) in enumerate(zip(NGRAMS, self._positions, strict=True)):
            position = positions.get(tuple(self._tokens[-length:]))
            if position is not None:
                return kind, position
        return None

    def _append(self, token: int) -> None:
        tokens = self._tokens
        for length, positions in zip(NGRAMS, self._positions, strict=True):
            if len(tokens) >= length:
                positions[tuple(tokens[-length:])] = len(tokens)
        tokens.append(token)
