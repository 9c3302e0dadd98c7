"""What calls that may be ended early must do."""

from __future__ import annotations

import numpy as np
import pytest

from service.engine.language_model import CausalModel, Interrupted, Segment
from tests.contract.base import some_tokens


class InterruptionContract:
    """All tests; models whose calls cannot be ended have none to pass."""

    def test_an_ended_call_changes_nothing(self, model: CausalModel) -> None:
        interruption = model.interruption
        if interruption is None:
            pytest.skip("calls of this model cannot be ended")
        model.compute.decode([Segment(0, 0, some_tokens(6), 0), Segment(1, 0, some_tokens(2), 0)])
        call = [Segment(0, 6, some_tokens(30), 1), Segment(1, 2, some_tokens(3), 1)]
        interruption.request()
        with interruption.allowed(), pytest.raises(Interrupted):
            model.compute.decode(call, n_filler=5)
        interruption.clear()
        assert [model.memory.position_max(seq_id) for seq_id in range(3)] == [5, 1, -1]
        assert model.memory.cells_free == 96 - 8
        with pytest.raises(ValueError, match="has no row"):
            model.compute.logits(0)
        with interruption.allowed():
            model.compute.decode(call)
        logits = [model.compute.logits(index).copy() for index in range(2)]
        for seq_id in range(2):
            model.memory.remove(seq_id, 0, -1)
        model.compute.decode([Segment(0, 0, some_tokens(6), 0), Segment(1, 0, some_tokens(2), 0)])
        model.compute.decode(call)
        assert all(np.array_equal(logits[index], model.compute.logits(index)) for index in range(2))

    def test_a_call_ends_early_only_where_that_is_allowed(self, model: CausalModel) -> None:
        interruption = model.interruption
        if interruption is None:
            pytest.skip("calls of this model cannot be ended")
        interruption.request()
        model.compute.decode([Segment(0, 0, some_tokens(6), 1)])
        assert model.memory.position_max(0) == 5
        interruption.clear()
