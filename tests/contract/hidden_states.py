"""The contract for hidden states."""

from __future__ import annotations

import numpy as np
import pytest

from service.engine.language_model import CacheFull, CausalModel, DecodeFailed, EncoderModel, Segment
from tests.contract.base import ContractTests, evaluate, positions, some_tokens


class HiddenStatesContract(ContractTests):
    """The tests."""

    def test_hidden_states_are_rows_by_token(self, embedder: CausalModel) -> None:
        rows = embedder.compute.hidden([Segment(2, 0, some_tokens(5), 0), Segment(0, 0, some_tokens(3, seed=1), 1)])
        assert rows.shape == (8, embedder.info.n_embd)
        assert rows.dtype == np.float32
        assert np.isfinite(rows).all()
        assert (positions(embedder), embedder.memory.cells_free) == ([2, -1, 4], 248)
        alone = embedder.compute.hidden([Segment(1, 0, some_tokens(3, seed=1), 0)])
        for row, reference in zip(rows[5:], alone, strict=True):
            self.assert_same(row, reference)

    def test_hidden_states_are_a_copy(self, embedder: CausalModel) -> None:
        rows = embedder.compute.hidden([Segment(0, 0, some_tokens(4), 0)])
        kept = rows.copy()
        embedder.compute.hidden([Segment(1, 0, some_tokens(4, seed=1), 0)])
        evaluate(embedder, 2, some_tokens(4, seed=2))
        assert np.array_equal(rows, kept)

    def test_hidden_states_do_not_depend_on_how_a_text_is_cut(self, embedder: CausalModel) -> None:
        text = some_tokens(30)
        at_once = embedder.compute.hidden([Segment(0, 0, text, 0)])
        in_pieces = [
            embedder.compute.hidden([Segment(1, start, text[start:end], 0)])
            for start, end in ((0, 1), (1, 17), (17, 18), (18, 30))
        ]
        for row, reference in zip(np.concatenate(in_pieces), at_once, strict=True):
            self.assert_same(row, reference)

    def test_hidden_states_do_not_disturb_generation(self, embedder: CausalModel) -> None:
        prompt = some_tokens(10)
        evaluate(embedder, 0, prompt[:6])
        embedder.compute.hidden([Segment(1, 0, some_tokens(9, seed=1), 0)])
        evaluate(embedder, 0, prompt[6:8])
        embedder.compute.hidden([Segment(1, 9, some_tokens(1, seed=1), 0)])
        between = evaluate(embedder, 0, prompt[8:])
        assert embedder.memory.remove(1, 0, -1)
        self.assert_same(between, evaluate(embedder, 1, prompt))

    def test_there_are_no_logits_after_hidden_states(self, embedder: CausalModel) -> None:
        evaluate(embedder, 0, some_tokens(4))
        embedder.compute.hidden([Segment(1, 0, some_tokens(4), 1)])
        with pytest.raises((ValueError, LookupError)):
            embedder.compute.logits(0)

    def test_text_can_follow_hidden_states(self, embedder: CausalModel) -> None:
        prompt = some_tokens(10)
        embedder.compute.hidden([Segment(0, 0, prompt[:7], 0)])
        self.assert_same(evaluate(embedder, 0, prompt[7:]), evaluate(embedder, 1, prompt))

    def test_hidden_states_need_cells(self, embedder: CausalModel) -> None:
        start, step = 0, min(embedder.info.n_batch, 251)
        while start < 251:
            n_tokens = min(step, 251 - start)
            embedder.compute.decode([Segment(0, start, some_tokens(n_tokens), 0)])
            start += n_tokens
        with pytest.raises(CacheFull):
            embedder.compute.hidden([Segment(1, 0, some_tokens(6), 0)])
        assert (positions(embedder), embedder.memory.cells_free) == ([250, -1, -1], 5)
        assert len(embedder.compute.hidden([Segment(1, 0, some_tokens(5), 0)])) == 5

    def test_hidden_states_of_too_many_tokens_are_refused(self, embedder: CausalModel) -> None:
        n_hidden = embedder.info.n_hidden
        with pytest.raises(DecodeFailed):
            embedder.compute.hidden([Segment(0, 0, [65] * n_hidden, 0), Segment(1, 0, [65], 0)])
        assert positions(embedder) == [-1, -1, -1]
        assert len(embedder.compute.hidden([Segment(0, 0, [65] * n_hidden, 0)])) == n_hidden

    def test_a_model_that_generates_does_not_encode(self, embedder: CausalModel) -> None:
        assert isinstance(embedder, CausalModel)
        assert not isinstance(embedder, EncoderModel)
