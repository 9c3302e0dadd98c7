"""What every ``EncoderModel`` must do. Subclass ``EncoderContract`` and give it an ``encoder`` fixture."""

from __future__ import annotations

import numpy as np
import pytest

from service.engine.language_model import CausalModel, DecodeFailed, EncoderModel, Rows
from tests.contract.base import some_tokens


class EncoderContract:
    """The tests."""

    @pytest.fixture
    def encoder(self) -> EncoderModel:
        """Must be overridden: a model for inputs of 64 tokens in all."""
        raise NotImplementedError

    def assert_same(self, rows: Rows, expected: Rows) -> None:
        """Embeddings of equal inputs, but for what other batches change in the last digits."""
        np.testing.assert_allclose(rows, expected, atol=2e-3)

    def test_it_holds_no_sequences(self, encoder: EncoderModel) -> None:
        assert isinstance(encoder, EncoderModel)
        assert not isinstance(encoder, CausalModel)
        assert not encoder.info.can_generate
        assert encoder.info.n_hidden == 64

    def test_each_input_has_a_row(self, encoder: EncoderModel) -> None:
        rows = encoder.encoder.encode([some_tokens(5), some_tokens(1, seed=1), some_tokens(58, seed=2)])
        assert rows.shape == (3, encoder.info.n_embd)
        assert rows.dtype == np.float32
        assert np.isfinite(rows).all()
        assert len({row.tobytes() for row in rows}) == 3

    def test_inputs_do_not_influence_each_other(self, encoder: EncoderModel) -> None:
        inputs = [some_tokens(length, seed=length) for length in (9, 3, 17)]
        alone = np.concatenate([encoder.encoder.encode([tokens]) for tokens in inputs])
        self.assert_same(encoder.encoder.encode(inputs), alone)
        self.assert_same(encoder.encoder.encode(inputs[::-1]), alone[::-1])

    def test_rows_are_a_copy(self, encoder: EncoderModel) -> None:
        rows = encoder.encoder.encode([some_tokens(4)])
        kept = rows.copy()
        encoder.encoder.encode([some_tokens(4, seed=1)])
        assert np.array_equal(rows, kept)

    def test_what_cannot_be_encoded_is_refused_and_harms_nothing(self, encoder: EncoderModel) -> None:
        too_many = [[65]] * (encoder.info.n_seq_max + 1)
        for inputs in ([], [[65], []], [[65] * 65], [[65] * 33, [65] * 32], too_many):
            with pytest.raises(DecodeFailed):
                encoder.encoder.encode(inputs)
        assert encoder.encoder.encode([[65] * 64]).shape == (1, encoder.info.n_embd)
