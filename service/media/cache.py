"""Keeps what pictures were encoded to, within a number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

    from service.media.encoder import EncodedPicture

#: Memory of a row beside its numbers: its item.
_ITEM_BYTES = 100


class EmbeddingCache:
    """Encoded pictures by their keys; those that were not asked for for longest go first.

    What requests still hold of a picture that has gone stays with them. Belongs to whoever holds the lock.

    Args:
        max_bytes: what it keeps at most; a picture that is larger is not kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._pictures: OrderedDict[Hashable, tuple[EncodedPicture, int]] = OrderedDict()
        self._n_bytes = 0

    @property
    def n_bytes(self) -> int:
        """Memory that it takes."""
        return self._n_bytes

    def get(self, key: Hashable) -> EncodedPicture | None:
        """A picture, None if it is not here."""
        found = self._pictures.get(key)
        if found is None:
            return None
        self._pictures.move_to_end(key)
        return found[0]

    def put(self, key: Hashable, picture: EncodedPicture) -> None:
        """Keep a picture, if there is room without all others."""
        n_bytes = size_of(picture)
        if key in self._pictures or n_bytes > self._max_bytes:
            return
        self._pictures[key] = picture, n_bytes
        self._n_bytes += n_bytes
        while self._n_bytes > self._max_bytes:
            _, (_, freed) = self._pictures.popitem(last=False)
            self._n_bytes -= freed

    def clear(self) -> None:
        """Keep nothing."""
        self._pictures.clear()
        self._n_bytes = 0


def size_of(picture: EncodedPicture) -> int:
    """Memory that a picture takes, in bytes."""
    n_bytes = 0
    for chunk in picture:
        if not isinstance(chunk, tuple):
            n_bytes += chunk.rows.nbytes + len(chunk.items) * _ITEM_BYTES
            n_bytes += 0 if chunk.grid is None else chunk.grid.nbytes
    return n_bytes
