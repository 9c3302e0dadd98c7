"""A model whose batches are dear below 64 tokens, as flash attention on a processor is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.engine.schedule.prefill_budget import TILE
from service.testing.scripted_model import ScriptedCompute, ScriptedModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.engine.language_model import Segment


class TiledCompute(ScriptedCompute):
    """Takes 0.7 ms per token; below a tile also 0.01 ms for each token that comes before it, otherwise 0.03 ms more.

    All that beside the costs that ``ScriptedCompute`` is given, which should be 0.
    """

    def decode(self, segments: Sequence[Segment], n_filler: int = 0) -> None:
        """Evaluate, and take the time."""
        super().decode(segments, n_filler)
        n_tokens = sum(len(part.tokens) for part in segments) + n_filler
        assert self._clock is not None
        seen = sum(part.position * len(part.tokens) for part in segments)
        self._clock.advance(n_tokens * 0.0007 + (0.00001 * seen if n_tokens < TILE else 0.00003 * n_tokens))


class TiledModel(ScriptedModel):
    """The scripted model with that computation."""

    compute_type = TiledCompute
