"""The media of one prompt: where it stands, and the rows that are to be evaluated there."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from service.engine.language_model import MediaSegment
from service.engine.request.media import MediaRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from service.engine.request.items import Positions, PromptItem
    from service.engine.request.media import MediaChunk


class PromptMedia:
    """Where a prompt has media, and with which rows.

    Args:
        items: of the prompt; all items of each chunk must be there, in their order.
        chunks: those of its media, by key.

    Attributes:
        n_items: items that are media.

    Raises:
        ValueError: there is an item whose chunk is missing, or which is not where its chunk has it.
    """

    __slots__ = ("_chunks", "_items", "_starts", "n_items")

    def __init__(self, items: Sequence[PromptItem], chunks: Mapping[bytes, MediaChunk]) -> None:
        self._items = items
        self._chunks = chunks
        self.n_items = 0
        #: Numbers of the items with which chunks begin.
        self._starts: list[int] = []
        index = 0
        while index < len(items):
            n_rows = self._check(index)
            if n_rows:
                self._starts.append(index)
            self.n_items += n_rows
            index += n_rows or 1

    def n_tokens_at(self, index: int) -> int:
        """How many tokens follow each other from item number ``index`` on; 0 if that is media."""
        if not isinstance(self._items[index], int):
            return 0
        place = bisect_left(self._starts, index)
        end = self._starts[place] if place < len(self._starts) else len(self._items)
        return end - index

    def segment(self, seq_id: int, index: int, positions: Positions) -> MediaSegment:
        """All rows from item number ``index``, which must be media, to the end of its chunk.

        Args:
            seq_id: the sequence in which they are evaluated.
            index: number of the next item there.
            positions: of the sequence's items up to there.
        """
        item = self._items[index]
        assert isinstance(item, MediaRow)
        chunk = self._chunks[item.key]
        position = positions.at(index - item.number)
        return MediaSegment(seq_id, position, chunk, item.number, len(chunk.rows) - item.number)

    def _check(self, index: int) -> int:
        """The number of rows of the chunk that begins with item number ``index``; 0 if that is a token."""
        item = self._items[index]
        if isinstance(item, int):
            return 0
        chunk = self._chunks.get(item.key) if isinstance(item, MediaRow) else None
        if chunk is None or tuple(self._items[index : index + len(chunk.items)]) != chunk.items:
            raise ValueError(f"item {index} of a prompt is not where a chunk begins that the request has")
        return len(chunk.items)


def media_in(items: Sequence[PromptItem], chunks: Mapping[bytes, MediaChunk]) -> PromptMedia | None:
    """The media of a prompt, None for one of tokens alone, which is not looked through."""
    return PromptMedia(items, chunks) if chunks else None
