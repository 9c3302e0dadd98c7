"""What the parts of the contract share."""

from __future__ import annotations

import random
from typing import Protocol

import numpy as np
import pytest

from service.engine.language_model import CausalModel, Logits, Segment


class ModelFactory(Protocol):
    """Makes a model; whoever offers the fixture closes it."""

    def __call__(self, n_cells: int, n_seq_max: int, *, embedding: bool = False) -> CausalModel:
        """A model with so many cells and sequences, all empty; with embeddings perhaps with more sequences."""


def some_tokens(n_tokens: int, seed: int = 0) -> list[int]:
    """Token ids that every vocabulary has, the same for the same seed."""
    source = random.Random(seed)
    return [source.randrange(32, 127) for _ in range(n_tokens)]


def evaluate(model: CausalModel, seq_id: int, tokens: list[int]) -> Logits:
    """Append tokens to a sequence; a copy of the logits behind them."""
    position = model.memory.position_max(seq_id) + 1
    model.compute.decode([Segment(seq_id, position, tokens, n_logits=1)])
    return model.compute.logits(0).copy()


def distance(left: Logits, right: Logits) -> float:
    """0 for rows that agree up to an offset and a factor, 2 at most.

    The angle between rows as they are says little: most of their length is the same whatever the text.
    """
    return 1.0 - float(np.corrcoef(left, right)[0, 1])


def fork(model: CausalModel, source: int, target: int, end: int) -> None:
    """Share positions; the test is skipped if this model cannot."""
    if not model.memory.fork(source, target, end):
        pytest.skip("this model cannot share a part of a sequence")


def positions(model: CausalModel, n_sequences: int = 3) -> list[int]:
    """The highest position of each sequence."""
    return [model.memory.position_max(seq_id) for seq_id in range(n_sequences)]


class ContractTests:
    """Models to test, and how alike their rows must be.

    Attributes:
        shift_is_exact: whether tokens after a shift are what they would be without the removed ones before them.
        tolerance: ``distance`` of rows of equal content: kernels for batches of different shape differ in the last
            digits, and so do sums over cells in another order. Another token in the prompt makes a larger one.
    """

    shift_is_exact = False
    tolerance = 0.002

    def assert_same(self, row: Logits, reference: Logits) -> None:
        """Rows have the same content."""
        assert distance(row, reference) < self.tolerance

    @pytest.fixture
    def model_factory(self) -> ModelFactory:
        """Must be overridden."""
        raise NotImplementedError

    @pytest.fixture
    def model(self, model_factory: ModelFactory) -> CausalModel:
        """A model with 96 cells and 3 sequences."""
        return model_factory(96, 3)

    @pytest.fixture
    def embedder(self, model_factory: ModelFactory) -> CausalModel:
        """A model that gives hidden states, with 256 cells and at least 3 sequences."""
        return model_factory(256, 3, embedding=True)
