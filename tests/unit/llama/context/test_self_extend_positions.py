"""Moved and divided positions give the logits that a forward pass at those positions gives.

The model has one layer, whose keys depend on nothing but the token and its position; so it does not matter where the
tokens stood when they were evaluated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest

from service.engine.cache.grouping import GroupedPositions
from service.engine.language_model import Segment
from tests.support.numpy_llama import NumpyLlama
from tests.support.tiny_gguf import TinyModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.llama.llama_model import LlamaModel
    from tests.unit.llama.conftest import LoadTiny

MODEL = TinyModel(has_fim=True)
#: Of logits of about 4.
TOLERANCE = 1e-4


def tokens_of(n_tokens: int) -> list[int]:
    """Some bytes."""
    return [int(token) for token in np.random.default_rng(n_tokens).integers(0, 256, n_tokens)]


def expected(tokens: Sequence[int], positions: Sequence[int]) -> npt.NDArray[np.float64]:
    """The logits behind the last token."""
    row: npt.NDArray[np.float64] = NumpyLlama(MODEL).logits(tokens, positions)[-1]
    return row


def assert_row(model: LlamaModel, tokens: Sequence[int], positions: Sequence[int]) -> None:
    """The last row is numpy's, and not the one of plain positions."""
    row = model.compute.logits(0)
    np.testing.assert_allclose(row, expected(tokens, positions), rtol=0, atol=TOLERANCE)
    if list(positions) != list(range(len(tokens))):
        assert np.abs(row - expected(tokens, range(len(tokens)))).max() > 0.05


def grouped(index: int, n_windows: int, n: int, width: int) -> int:
    """Position of a token when so many windows have been grouped."""
    return index // n if index < n_windows * width else index - n_windows * (width - width // n)


@pytest.mark.parametrize(
    ("n", "width", "n_tokens"), [(2, 4, 4), (2, 4, 11), (4, 8, 30), (2, 8, 41), (3, 6, 29), (4, 4, 17), (8, 16, 50)]
)
def test_windows_that_are_grouped_after_the_prompt(load_exact: LoadTiny, n: int, width: int, n_tokens: int) -> None:
    model = load_exact()
    tokens = tokens_of(n_tokens)
    model.compute.decode([Segment(0, 0, tokens, 0)])
    end, start = n_tokens, 0
    saved = width // n * (n - 1)
    n_windows = 0
    while end >= start + width:
        up = n_windows * saved
        model.memory.shift(0, start, end, up)
        model.memory.divide(0, start + up, start + up + width, n)
        model.memory.shift(0, start + up + width, end + up, width // n - up - width)
        end, start, n_windows = end - saved, start + width // n, n_windows + 1
        assert model.memory.position_max(0) == end - 1
    tokens.append(32)
    model.compute.decode([Segment(0, end, [32], 1)])
    assert n_windows == n_tokens // width
    assert_row(model, tokens, [grouped(index, n_windows, n, width) for index in range(len(tokens))])


@pytest.mark.parametrize(("n", "width"), [(2, 4), (4, 8), (3, 9), (5, 5)])
def test_windows_that_are_grouped_as_they_fill(load_exact: LoadTiny, n: int, width: int) -> None:
    """In the order of the engine: every token is evaluated where it stands first, alone or with others."""
    model = load_exact()
    tokens = tokens_of(40)
    positions = GroupedPositions(0, n, width, 0)
    n_windows = done = 0
    while done < len(tokens):
        if not positions.room:
            step = positions.regroup()
            model.memory.shift(0, step.start, step.end, step.delta)
            model.memory.divide(0, step.start + step.delta, step.end + step.delta, step.divisor)
            n_windows += 1
        chunk = tokens[done : done + min(positions.room, 1 + done % 3)]
        model.compute.decode([Segment(0, positions.next, chunk, 1)])
        positions.append(len(chunk))
        done += len(chunk)
        assert_row(model, tokens[:done], [grouped(index, n_windows, n, width) for index in range(done)])
    assert n_windows == (len(tokens) - 1) // width


def test_tokens_in_front_stay_where_they_are(load_exact: LoadTiny) -> None:
    model = load_exact()
    tokens = tokens_of(19)
    model.compute.decode([Segment(0, 0, tokens[:3], 0)])
    positions = GroupedPositions(3, 2, 4, 3)
    for first in range(3, 19, 4):
        if first > 3:
            step = positions.regroup()
            model.memory.shift(0, step.start, step.end, step.delta)
            model.memory.divide(0, step.start + step.delta, step.end + step.delta, step.divisor)
        model.compute.decode([Segment(0, positions.next, tokens[first : first + 4], 1)])
        positions.append(4)
    # Three windows of four tokens were grouped in pairs from position 3 on.
    assert_row(model, tokens, [0, 1, 2, *(3 + index // 2 for index in range(12)), 9, 10, 11, 12])


def test_other_sequences_keep_their_positions(load_exact: LoadTiny) -> None:
    model = load_exact()
    tokens = tokens_of(8)
    model.compute.decode([Segment(0, 0, tokens, 0), Segment(1, 0, tokens, 0)])
    model.memory.divide(0, 0, 8, 4)
    model.compute.decode([Segment(1, 8, [65], 1)])
    assert_row(model, [*tokens, 65], range(9))
    model.compute.decode([Segment(0, 2, [65], 1)])
    assert_row(model, [*tokens, 65], [0, 0, 0, 0, 1, 1, 1, 1, 2])
