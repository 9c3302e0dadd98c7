"""What prompts, and the sequences that grow from them, consist of: items, one for each cell of the KV cache.

A token is an item: its id. A unit of media (an image, say) is as many items as it takes cells, each a ``MediaItem``.
Equal items have equal contents, so an item is its own key wherever prompts are compared. Lengths are counted in items:
they are what a step evaluates, and what the cache has room for. Positions are another measure: most items take one, but
the items of a unit may share some.

So far prompts have only tokens (docs/adr/0036). What holds, finds, saves and shares sequences takes any items.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


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
