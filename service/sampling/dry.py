"""DRY, "don't repeat yourself": penalises what would go on with a repeated sequence (p-e-w, 2024).

For each token that came behind an earlier copy of the last L tokens, L >= the allowed length a, the logit loses
m * b^(L - a), for the longest such L. Sequences do not reach across breakers.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.sampling.settings import SamplingSettings, SequenceBreakers

#: The natural logarithm of the largest float32; greater penalties say no more.
_MAX_LOG = 88.7228391
#: A penalty makes a token as unlikely as a float32 can say, but never bans it.
_LARGEST = np.finfo(np.float32).max / 2


class RepeatedSequences:
    """The last tokens of a sequence, and how long a copy of its end each of them ends.

    A token that is added takes a pass over the window, and so does a penalty.

    Args:
        tokens: so far.
        length: of the window; at least 1.
        multiplier, base, allowed_length: m, b and a above.
        breakers: see ``SamplingSettings``.
    """

    __slots__ = ("_allowed", "_base", "_breakers", "_copied", "_end", "_length", "_log_base", "_multiplier", "_tokens")

    def __init__(
        self,
        tokens: Sequence[int],
        *,
        length: int,
        multiplier: float,
        base: float,
        allowed_length: int,
        breakers: SequenceBreakers,
    ) -> None:
        self._length = length
        self._multiplier = multiplier
        self._base = base
        self._log_base = math.log(base)
        self._allowed = allowed_length
        self._breakers = breakers
        #: The window is the last ``length`` of the first ``_end``; room is made by moving it to the front.
        self._tokens = np.empty(2 * length, np.int64)
        #: For each of them the tokens up to it that are also the last of all; of the last one, itself.
        self._copied = np.zeros(2 * length, np.int64)
        self._end = 0
        for token in tokens[-length:]:
            self.accept(token)

    def accept(self, token: int) -> None:
        """Add a token."""
        if self._end == len(self._tokens):
            self._move_to_front()
        end = self._end
        start = max(0, end - self._length)
        # A copy that ends at a token goes on at the next one, if that is what was added.
        goes_on = self._tokens[start:end] == token
        self._copied[start + 1 : end + 1] = self._copied[start:end]
        self._copied[start] = 0
        self._copied[start:end] = np.where(goes_on, self._copied[start:end] + 1, 0)
        self._tokens[end] = token
        self._copied[end] = 0
        self._end = end + 1

    def apply(self, logits: npt.NDArray[np.float32]) -> None:
        """Penalise in place. ``logits`` has shape (n_vocab,)."""
        start = max(0, self._end - self._length)
        window = self._tokens[start : self._end]
        if len(window) <= self._allowed:
            return
        longest = self._unbroken(window)
        if longest < self._allowed:
            return
        # No copy is longer than what the window has of it.
        lengths = np.minimum(self._copied[start : self._end - 1], np.arange(1, len(window)))
        lengths = np.minimum(lengths, longest)
        ends = np.flatnonzero(lengths >= self._allowed)
        if not len(ends):
            return
        tokens, places = np.unique(window[ends + 1], return_inverse=True)
        most = np.zeros(len(tokens), np.int64)
        np.maximum.at(most, places, lengths[ends])
        is_penalised = np.array([() not in self._breakers.get(int(token), ()) for token in tokens])
        exponents = np.minimum(most - self._allowed, self._max_exponent())[is_penalised]
        penalties = np.minimum(self._multiplier * self._base**exponents, _LARGEST)
        logits[tokens[is_penalised]] -= penalties.astype(np.float32)

    def _max_exponent(self) -> float:
        return _MAX_LOG // self._log_base if self._base > 1.000001 else math.inf

    def _unbroken(self, window: npt.NDArray[np.int64]) -> int:
        """Tokens behind the last breaker of the window."""
        if not self._breakers:
            return len(window)
        tokens = window.tolist()
        for n_behind, token in enumerate(reversed(tokens)):
            tails = self._breakers.get(token)
            if tails is None:
                continue
            behind = tokens[len(tokens) - n_behind :]
            found = [len(tail) for tail in tails if tuple(behind[: len(tail)]) == tail]
            if found:
                return n_behind - max(found)
        return len(tokens)

    def _move_to_front(self) -> None:
        kept = self._length
        for array in (self._tokens, self._copied):
            array[:kept] = array[self._end - kept : self._end].copy()
        self._end = kept


def repeated_sequences(settings: SamplingSettings, *, n_ctx: int, prompt: Sequence[int]) -> RepeatedSequences | None:
    """What a request's settings ask for; None if nothing.

    Args:
        settings: of the request.
        n_ctx: tokens of context, the window of -1.
        prompt: its tokens.
    """
    length = n_ctx if settings.dry_penalty_last_n < 0 else min(settings.dry_penalty_last_n, n_ctx)
    if not settings.is_on("dry_multiplier") or settings.dry_base < 1 or not length:
        return None
    return RepeatedSequences(
        prompt,
        length=length,
        multiplier=settings.dry_multiplier,
        base=settings.dry_base,
        allowed_length=settings.dry_allowed_length,
        breakers=settings.dry_breakers,
    )
