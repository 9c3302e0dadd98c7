"""Encoded pictures are kept within a number of bytes, the least recently wanted ones leave first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from service.engine.request.media import MediaChunk
from service.media.cache import EmbeddingCache, size_of

if TYPE_CHECKING:
    from service.media.encoder import EncodedPicture


def picture(name: str, n_rows: int = 4) -> EncodedPicture:
    rows = np.zeros((n_rows, 64), np.float32)
    return (1, 2), MediaChunk(name.encode(), rows, None, n_rows, is_causal=True), (3,)


ONE = size_of(picture("a"))


def test_a_picture_that_is_kept_is_the_same_object() -> None:
    cache = EmbeddingCache(2 * ONE)
    kept = picture("a")
    cache.put(b"a", kept)
    assert cache.get(b"a") is kept
    assert cache.get(b"b") is None


def test_what_was_not_wanted_for_longest_leaves_first() -> None:
    cache = EmbeddingCache(2 * ONE)
    cache.put(b"a", picture("a"))
    cache.put(b"b", picture("b"))
    cache.get(b"a")
    cache.put(b"c", picture("c"))
    assert [key for key in (b"a", b"b", b"c") if cache.get(key)] == [b"a", b"c"]


def test_it_never_takes_more_than_it_may() -> None:
    cache = EmbeddingCache(5 * ONE)
    for number in range(50):
        cache.put(bytes([number]), picture(str(number), n_rows=1 + number % 7))
        assert cache.n_bytes <= 5 * ONE


def test_a_picture_that_does_not_fit_at_all_pushes_nothing_out() -> None:
    cache = EmbeddingCache(ONE)
    cache.put(b"a", picture("a"))
    cache.put(b"b", picture("b", n_rows=100))
    assert cache.get(b"a") is not None
    assert cache.n_bytes == ONE


def test_a_cache_of_no_bytes_keeps_nothing() -> None:
    cache = EmbeddingCache(0)
    cache.put(b"a", picture("a"))
    assert cache.get(b"a") is None
    assert cache.n_bytes == 0


def test_a_picture_that_comes_twice_counts_once() -> None:
    cache = EmbeddingCache(2 * ONE)
    cache.put(b"a", picture("a"))
    cache.put(b"a", picture("a"))
    assert cache.n_bytes == ONE


def test_rows_items_and_places_count() -> None:
    rows, grid = np.zeros((4, 64), np.float32), np.zeros((4, 3), np.int32)
    with_grid = MediaChunk(b"", rows, grid, 2, is_causal=True)
    assert size_of((with_grid,)) == ONE + grid.nbytes
    assert rows.nbytes <= ONE


def test_after_clearing_nothing_is_kept() -> None:
    cache = EmbeddingCache(ONE)
    cache.put(b"a", picture("a"))
    cache.clear()
    assert (cache.get(b"a"), cache.n_bytes) == (None, 0)
