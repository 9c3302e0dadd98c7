"""What is reported about a draw: probabilities after the samplers, and log-probabilities of the raw logits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from service.sampling.candidates import Candidates, largest

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Ranking = tuple[tuple[int, float], ...]


def rank_probabilities(survivors: Candidates | None, row: npt.NDArray[np.float32], n: int) -> Ranking:
    """The ``n`` most probable survivors, then the next highest tokens of ``row`` with probability 0.

    Args:
        survivors: candidates that the chain left; None if there are none.
        row: logits after bias and penalties, shape (n_vocab,).
        n: entries wanted; fewer only if the vocabulary is smaller.

    Returns:
        (token, probability), highest first.
    """
    ranking: list[tuple[int, float]] = []
    if survivors is not None:
        head = survivors.first(n)
        probabilities = head.weights() / survivors.weights().sum()
        ranking = list(zip(head.ids.tolist(), probabilities.tolist(), strict=True))
    if len(ranking) < n:
        listed = {token for token, _ in ranking}
        others = (token for token in largest(row, n).tolist() if token not in listed)
        ranking += [(token, 0.0) for token in others]
    return tuple(ranking[:n])


def rank_logprobs(row: npt.NDArray[np.float32], token: int, n: int) -> tuple[float, Ranking]:
    """Log-softmax of one token and of the ``n`` best ones: ln p_i = l_i - l_max - ln sum_j exp(l_j - l_max).

    Args:
        row: logits as the model gave them, shape (n_vocab,).
        token: the token that was chosen.
        n: how many of the best to list.

    Returns:
        The chosen token's log-probability, and (token, log-probability) highest first; -inf for probability 0.
    """
    everything = Candidates.whole(row)
    best = everything.best_logit
    normaliser = 0.0 if best == -math.inf else best + math.log(float(everything.weights().sum()))
    ranking: Ranking = ()
    if n > 0:
        head = everything.first(n)
        ranking = tuple(zip(head.ids.tolist(), (head.logits - normaliser).tolist(), strict=True))
    return float(row[token]) - normaliser, ranking
