"""The candidates of one draw, and how to find the best of many without sorting them all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterator

Floats = npt.NDArray[np.floating[Any]]
Indices = npt.NDArray[np.intp]

#: Columns that a whole vocabulary is folded into when only its best few are wanted. Measured with 49,152 logits:
#: folding takes 8 us with 1,024 to 4,096 columns, and a quarter of the columns keeps the bound tight.
_COLUMNS = 2048
_MOST_BY_FOLDING = _COLUMNS // 4
#: Columns that these are folded into again for a short head, whose partition then takes 2 us and not 12.
_FEW_COLUMNS = 256
_MOST_BY_FOLDING_TWICE = _FEW_COLUMNS // 4

#: Lengths of the sorted heads that are tried before everything is sorted.
_FIRST_HEAD = 128
_HEAD_GROWTH = 8


class Candidates:
    """Tokens that may still be drawn, with their logits.

    Steps of the chain never change candidates in place; they return new ones. A banned token is a candidate with logit
    -inf; the best logit is always finite.

    Args:
        ids: token of each candidate, shape (n,); None if candidate i is token i.
        logits: shape (n,); float32 for a whole vocabulary, float64 for a selection.
        is_sorted: whether the logits descend.
    """

    __slots__ = ("_ids", "is_sorted", "logits")

    def __init__(self, ids: Indices | None, logits: Floats, *, is_sorted: bool) -> None:
        self._ids = ids
        self.logits = logits
        self.is_sorted = is_sorted

    @classmethod
    def whole(cls, row: npt.NDArray[np.float32]) -> Candidates:
        """Every token of the vocabulary. ``row`` is not copied: it must not change while the candidates live."""
        return cls(None, row, is_sorted=False)

    def __len__(self) -> int:
        return len(self.logits)

    @property
    def ids(self) -> Indices:
        """Token of each candidate, shape (n,)."""
        return np.arange(len(self), dtype=np.intp) if self._ids is None else self._ids

    @property
    def best_logit(self) -> float:
        """The highest logit."""
        return float(self.logits[0] if self.is_sorted else self.logits.max())

    def token(self, index: int) -> int:
        """Token of one candidate."""
        return index if self._ids is None else int(self._ids[index])

    def take(self, index: Indices, *, is_sorted: bool) -> Candidates:
        """The candidates at these indices, in this order."""
        ids = index if self._ids is None else self._ids[index]
        return Candidates(ids, self.logits[index].astype(np.float64, copy=False), is_sorted=is_sorted)

    def first(self, n: int) -> Candidates:
        """The ``n`` best candidates, or all if there are fewer, sorted. Of equal ones, the earlier comes first."""
        if self.is_sorted:
            return Candidates(self.ids[:n], self.logits[:n], is_sorted=True)
        return self.take(largest(self.logits, n), is_sorted=True)

    def heads(self) -> Iterator[Candidates]:
        """Sorted heads of growing length, the last one all candidates: most cuts need only a short one."""
        if self.is_sorted:
            yield self
        else:
            for index in descending_heads(self.logits):
                yield self.take(index, is_sorted=True)

    def with_logits(self, logits: Floats) -> Candidates:
        """The same candidates with other logits, which must be in the same order of size."""
        return Candidates(self._ids, logits, is_sorted=self.is_sorted)

    def with_other_logits(self, logits: Floats) -> Candidates:
        """The same candidates with logits in any order of size."""
        return Candidates(self._ids, logits, is_sorted=False)

    def weights(self) -> Floats:
        """exp(l_i - l_max): softmax without its divisor, shape (n,). Shifting first makes overflow impossible."""
        weights: Floats = np.exp(self.logits - self.best_logit)
        return weights

    def probabilities(self) -> Floats:
        """Softmax over the candidates, shape (n,)."""
        weights = self.weights()
        weights /= weights.sum()
        return weights

    def probability(self, token: int) -> float:
        """Softmax of one of the candidates."""
        index = token if self._ids is None else int(np.flatnonzero(self._ids == token)[0])
        return float(self.probabilities()[index])

    def draw(self, random: np.random.Generator) -> tuple[int, float]:
        """Draw a token from the softmax by inverting its cumulative distribution; takes one random number.

        Returns:
            The token and its probability.
        """
        weights = self.weights().astype(np.float64, copy=False)
        mass = weights.cumsum()
        # random() is below 1, and so the product below mass[-1]: the index found is valid, and its weight above 0.
        index = int(mass.searchsorted(random.random() * mass[-1], side="right"))
        return self.token(index), float(weights[index] / mass[-1])


def largest(values: Floats, n: int) -> Indices:
    """Indices of the ``n`` largest values, or of all if there are fewer, largest first; of equal ones the lower index.

    Args:
        values: shape (m,), without NaN.
        n: at least 1.

    Returns:
        Shape (min(n, m),).
    """
    if n >= len(values):
        return np.argsort(-values, kind="stable")
    chosen = (values >= _reached_by(values, n)).nonzero()[0]
    return chosen[np.argsort(-values[chosen], kind="stable")[:n]]


def descending_heads(values: Floats) -> Iterator[Indices]:
    """Indices of the largest values, largest first, in heads of growing length; the last one holds all indices."""
    length = _FIRST_HEAD
    while length < len(values):
        yield largest(values, length)
        length *= _HEAD_GROWTH
    yield largest(values, len(values))


def entropy(probabilities: Floats) -> float:
    """-sum p ln p over p > 0, in nats."""
    positive = probabilities[probabilities > 0]
    return -float((positive * np.log(positive)).sum())


def _reached_by(values: Floats, n: int) -> np.floating[Any]:
    """A bound that at least ``n`` values reach, and not many more if the row is long.

    Folds a long row into columns and takes the n-th largest of the columns' maxima: each of the n best columns holds
    a value that reaches it. That reads the row once, at the speed of memory; a partition of the row takes six times
    as long.
    """
    rows = len(values) // _COLUMNS
    if rows < 4 or n > _MOST_BY_FOLDING:
        position = len(values) - n
        exact: np.floating[Any] = np.partition(values, position)[position]
        return exact
    # Values after the last whole row are left out; they can only add to those that reach the bound.
    maxima = values[: rows * _COLUMNS].reshape(rows, _COLUMNS).max(axis=0)
    if n <= _MOST_BY_FOLDING_TWICE:
        maxima = maxima.reshape(-1, _FEW_COLUMNS).max(axis=0)
    maxima.partition(len(maxima) - n)
    bound: np.floating[Any] = maxima[len(maxima) - n]
    return bound
