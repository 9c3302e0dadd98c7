"""Fixed changes to single logits: the request's biases and bans of end-of-generation tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


class LogitBias:
    """What is added to logits before everything else.

    Args:
        biases: (token, bias) in order, -inf for a ban; a later entry replaces an earlier one for the same token.
        eog_tokens: the model's end-of-generation tokens.
        ignore_eog: ban them for the whole request, unless ``biases`` names them.
    """

    __slots__ = ("_eog", "_ids", "_values")

    def __init__(self, biases: Sequence[tuple[int, float]], *, eog_tokens: Collection[int], ignore_eog: bool) -> None:
        merged = dict.fromkeys(sorted(eog_tokens), -np.inf) if ignore_eog else {}
        merged.update(biases)
        self._ids = np.array(list(merged), np.intp)
        self._values = np.array(list(merged.values()), np.float32)
        self._eog = np.array(sorted(eog_tokens), np.intp)

    def apply(self, logits: npt.NDArray[np.float32], *, ban_eog: bool) -> None:
        """Add the biases in place; ``ban_eog`` bans the end-of-generation tokens whatever the biases say.

        ``logits`` has shape (n_vocab,).
        """
        if len(self._ids):
            logits[self._ids] += self._values
        if ban_eog:
            logits[self._eog] = -np.inf
