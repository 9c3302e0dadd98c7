"""What prompts, and the sequences that grow from them, consist of: items, one for each cell of the KV cache.

A token is an item: its id. A unit of media (an image, say) is as many items as it takes cells, each a ``MediaItem``.
Equal items have equal contents, so an item is its own key wherever prompts are compared. Lengths are counted in items:
they are what a step evaluates, and what the cache has room for. Positions are another measure: most items take one, but
the items of a unit may share some.

So far prompts have only tokens (docs/adr/0036). What holds, finds, saves and shares sequences takes any items.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class MediaItem(Protocol):
    """What one cell holds of a unit of media.

    Must be hashable. Two are equal if they are the same part of units with the same content, whoever sent these; and
    none equals a token.
    """

    @property
    def n_before(self) -> int:
        """How many items lie between the last place where a prompt may be divided and this one.

        0 if it may be divided right before this item. A unit that is evaluated at once has the numbers from 0 on.
        """

    @property
    def n_positions(self) -> int:
        """By how much the position of the next item is above that of this one; 0 or more."""


PromptItem = int | MediaItem


def whole_length(items: Sequence[PromptItem], length: int) -> int:
    """The most of the first ``length`` items that can be kept or evaluated without the others.

    Args:
        items: of a prompt or a sequence.
        length: at most all of them.

    Returns:
        ``length``, unless that is inside of what cannot be divided; then where that begins.
    """
    if length >= len(items):
        return length
    item = items[length]
    return length if isinstance(item, int) else length - item.n_before


def tokens_of(items: Iterable[PromptItem]) -> list[int]:
    """The tokens among items, for what knows text alone."""
    return [item for item in items if isinstance(item, int)]


class Positions:
    """The positions of a sequence's items: item number ``i`` has position ``i`` unless media is before it.

    Costs text nothing: only items that do not take one position are noted.

    Attributes:
        extra: by how much the position behind the last item is above the number of items; below 0 if items share some.
    """

    __slots__ = ("_extras", "_numbers", "extra")

    def __init__(self) -> None:
        self.extra = 0
        #: Numbers of the items that do not take one position.
        self._numbers: list[int] = []
        #: For each of them by how much the positions right behind it are above the numbers of their items.
        self._extras: list[int] = []

    def at(self, index: int) -> int:
        """The position of item number ``index``; of the next one, if there are just so many."""
        return index + self._extra_before(index)

    def append(self, n_items: int, items: Iterable[PromptItem]) -> None:
        """Note items that come behind the first ``n_items``; tokens need not be noted."""
        for number, item in enumerate(items, n_items):
            if not isinstance(item, int) and item.n_positions != 1:
                self.extra += item.n_positions - 1
                self._numbers.append(number)
                self._extras.append(self.extra)

    def remove(self, start: int, end: int) -> None:
        """Forget the items from number ``start`` to ``end - 1``; those behind them move up."""
        first, last = bisect_left(self._numbers, start), bisect_left(self._numbers, end)
        removed = self._extra_before(end) - self._extra_before(start)
        self._numbers[first:] = [number - (end - start) for number in self._numbers[last:]]
        self._extras[first:] = [extra - removed for extra in self._extras[last:]]
        self.extra -= removed

    def copy(self, length: int) -> Positions:
        """Those of the first ``length`` items."""
        other = Positions()
        n_noted = bisect_left(self._numbers, length)
        other._numbers, other._extras = self._numbers[:n_noted], self._extras[:n_noted]
        other.extra = self._extra_before(length)
        return other

    def _extra_before(self, index: int) -> int:
        n_noted = bisect_left(self._numbers, index)
        return self._extras[n_noted - 1] if n_noted else 0
