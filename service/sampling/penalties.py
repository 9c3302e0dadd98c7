"""Penalties for tokens that occurred recently. They touch a few dozen logits, never the whole vocabulary."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

_LARGEST = np.finfo(np.float32).max

Floats = npt.NDArray[np.float32]


class PenaltyWindow:
    """The most recent tokens of a text, and the penalties for using them again.

    For a token that occurs c >= 1 times in the window: l = l / repeat if l > 0 else l * repeat (Keskar et al. 2019,
    arXiv:1909.05858), then l = l - c * frequency - presence (OpenAI's API reference).

    Args:
        history: tokens so far, oldest first; all inside the vocabulary.
        length: tokens that the window holds; at least 1.
        n_vocab: tokens in the vocabulary.
        repeat: above 0; 1 is off.
        frequency: 0 is off.
        presence: 0 is off.
        exempt: token that takes part in the window but is never penalised, or None.

    Attributes:
        repeat: as given.
    """

    __slots__ = ("_counts", "_exempt", "_frequency", "_ids", "_position", "_presence", "_size", "_window", "repeat")

    def __init__(
        self,
        history: Sequence[int],
        *,
        length: int,
        n_vocab: int,
        repeat: float,
        frequency: float,
        presence: float,
        exempt: int | None,
    ) -> None:
        self.repeat = repeat
        self._frequency = frequency
        self._presence = presence
        self._exempt = exempt
        self._window: deque[int] = deque(maxlen=length)
        # The first _size entries are the distinct tokens of the window, in any order; _position gives a token's entry.
        capacity = min(length, n_vocab)
        self._ids = np.empty(capacity, np.intp)
        self._counts = np.empty(capacity, np.float32)
        self._position: dict[int, int] = {}
        self._size = 0
        for token in history[-length:]:
            self.accept(token)

    def accept(self, token: int) -> None:
        """Append a token; the oldest one leaves a full window."""
        if len(self._window) == self._window.maxlen:
            self._forget(self._window[0])
        self._window.append(token)
        if token == self._exempt:
            return
        position = self._position.get(token)
        if position is None:
            self._position[token] = self._size
            self._ids[self._size] = token
            self._counts[self._size] = 1
            self._size += 1
        else:
            self._counts[position] += 1

    @property
    def tokens(self) -> npt.NDArray[np.intp]:
        """The distinct tokens of the window that are penalised, in any order; valid until the next ``accept``."""
        return self._ids[: self._size]

    @property
    def only_repeats(self) -> bool:
        """Whether there is nothing but the penalty for repetition."""
        return not (self._frequency or self._presence)

    def apply(self, logits: Floats) -> None:
        """Penalise in position. ``logits`` has shape (n_vocab,)."""
        ids = self.tokens
        touched = logits[ids]
        if self.repeat != 1:
            touched = _repeated(touched, self.repeat)
        if not self.only_repeats:
            penalty = self._counts[: self._size] * self._frequency + self._presence
            touched = np.minimum(touched, _LARGEST) - np.clip(penalty, -_LARGEST, _LARGEST)
        logits[ids] = _limited(touched)

    def _forget(self, token: int) -> None:
        if token == self._exempt:
            return
        position = self._position[token]
        if self._counts[position] > 1:
            self._counts[position] -= 1
            return
        # The last entry fills the gap.
        self._size -= 1
        last = int(self._ids[self._size])
        self._ids[position] = last
        self._counts[position] = self._counts[self._size]
        self._position[last] = position
        del self._position[token]


def apply_together(matrix: Floats, windows: Sequence[tuple[int, PenaltyWindow]]) -> None:
    """Penalise several rows, each by its own window, as ``PenaltyWindow.apply`` does.

    Args:
        matrix: logits, shape (all rows, n_vocab), contiguous; changed in place.
        windows: row numbers, each once, and windows that only repeat; at least one.
    """
    tokens = [window.tokens for _, window in windows]
    sizes = list(map(len, tokens))
    ids = np.concatenate(tokens)
    ids += np.repeat([row * matrix.shape[1] for row, _ in windows], sizes)
    repeats = [window.repeat for _, window in windows]
    repeat = repeats[0] if len(set(repeats)) == 1 else np.repeat(np.array(repeats, np.float32), sizes)
    logits = matrix.reshape(-1)
    logits[ids] = _limited(_repeated(logits.take(ids), repeat))


def _repeated(logits: Floats, repeat: float | Floats) -> Floats:
    """Logits of tokens that occurred, divided by the penalty where they are positive, or else multiplied."""
    return np.where(logits > 0, logits / repeat, logits * repeat)


def _limited(logits: Floats) -> Floats:
    """Extreme settings favour a token as much as a float32 can say; +inf and NaN would leave nothing to choose from."""
    return np.minimum(logits, _LARGEST)
