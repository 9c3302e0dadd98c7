"""The part of the contract about LoRA adapters, for models that have some."""

from __future__ import annotations

import numpy as np
import pytest

from service.engine.language_model import CausalModel, Segment
from tests.contract.base import ContractTests, evaluate, some_tokens

NO_SCALES = (0.0, 0.0)
SETS = ((0.5, 0.0), (0.0, 1.0), NO_SCALES)


class AdapterContract(ContractTests):
    """Scales of adapters that change from call to call."""

    @pytest.fixture
    def adapted(self) -> CausalModel:
        """A model with two adapters, 96 cells and 3 sequences; must be overridden."""
        raise NotImplementedError

    def test_scales_hold_from_the_next_call_on(self, adapted: CausalModel) -> None:
        rows = []
        for scales in (*SETS, *SETS):
            adapted.compute.use_adapters(scales)
            adapted.memory.remove(0, 0, -1)
            rows.append(evaluate(adapted, 0, some_tokens(5)))
        first, again = rows[: len(SETS)], rows[len(SETS) :]
        for row, same in zip(first, again, strict=True):
            self.assert_same(row, same)
        assert len({row.tobytes() for row in first}) == len(SETS)

    def test_sequences_with_different_scales_can_take_turns(self, adapted: CausalModel) -> None:
        text = some_tokens(12)
        alone = []
        for scales in SETS:
            adapted.compute.use_adapters(scales)
            adapted.memory.remove(0, 0, -1)
            alone.append(evaluate(adapted, 0, text))
        adapted.memory.remove(0, 0, -1)
        for start in range(0, 12, 4):
            for seq_id, scales in enumerate(SETS):
                adapted.compute.use_adapters(scales)
                adapted.compute.decode([Segment(seq_id, start, text[start : start + 4], n_logits=1)])
                if start == 8:
                    self.assert_same(adapted.compute.logits(0).copy(), alone[seq_id])

    def test_logits_are_those_of_the_last_call_whatever_scales_come_next(self, adapted: CausalModel) -> None:
        adapted.compute.use_adapters(SETS[0])
        row = evaluate(adapted, 0, some_tokens(5))
        adapted.compute.use_adapters(SETS[1])
        assert np.array_equal(adapted.compute.logits(0), row)
