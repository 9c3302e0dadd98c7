"""A batch holds what the segments say, whatever it held before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.engine.language_model import Segment
from service.llama.context.batch import Batch
from service.llama.host.library import Library, load_library

if TYPE_CHECKING:
    from collections.abc import Sequence

N_VOCAB = 1000
CAPACITY = 32


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    """One with or without logits, of any of its last tokens."""
    tokens = draw(st.lists(st.integers(0, N_VOCAB - 1), min_size=1, max_size=8))
    return Segment(
        seq_id=draw(st.integers(0, 255)),
        position=draw(st.integers(0, 2**31 - CAPACITY - 1)),
        tokens=tokens,
        n_logits=draw(st.integers(0, len(tokens))),
    )


SEGMENTS = st.lists(segments(), max_size=4)

Row = tuple[int, int, int, int, bool]


def content(batch: Batch) -> list[Row]:
    """Token, position, number of sequences, sequence and output of each entry, read through the C structure."""
    struct = batch.struct
    return [
        (struct.token[i], struct.pos[i], struct.n_seq_id[i], struct.seq_id[i][0], bool(struct.logits[i]))
        for i in range(struct.n_tokens)
    ]


def expected(segments: Sequence[Segment]) -> list[Row]:
    """The same, from the segments."""
    return [
        (
            token,
            segment.position + offset,
            1,
            segment.seq_id,
            offset >= len(segment.tokens) - segment.n_logits,
        )
        for segment in segments
        for offset, token in enumerate(segment.tokens)
    ]


@pytest.fixture(scope="module")
def batch() -> Batch:
    """A batch that all examples of a test use, one after the other."""
    return Batch(load_library(), CAPACITY, N_VOCAB)


@given(first=SEGMENTS, second=SEGMENTS)
def test_it_holds_the_last_segments(batch: Batch, first: list[Segment], second: list[Segment]) -> None:
    for segments in (first, second):
        last_indices = batch.fill(segments)
        assert content(batch) == expected(segments)
        lengths = np.cumsum([len(segment.tokens) for segment in segments], dtype=int)
        assert last_indices == [length - 1 for length in lengths]


def test_tokens_may_come_in_any_sequence(batch: Batch) -> None:
    batch.fill([Segment(0, 0, (1, 2), 1), Segment(1, 0, np.array([3, 4], np.int64), 1)])  # type: ignore[arg-type]
    assert [row[0] for row in content(batch)] == [1, 2, 3, 4]


@pytest.mark.parametrize("tokens", [[-1], [N_VOCAB], [1, -1], [N_VOCAB, 1], [2**40], [1, 2**40]])
def test_a_token_outside_the_vocabulary_is_refused(library: Library, tokens: list[int]) -> None:
    with pytest.raises(ValueError, match="outside the vocabulary of 1000"):
        Batch(library, CAPACITY, N_VOCAB).fill([Segment(0, 0, tokens, 1)])
