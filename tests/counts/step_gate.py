"""A scripted model whose steps a test allows one by one."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from service.testing.scripted_model import ScriptedCompute, ScriptedModel
from tests.support.scripted_core import WAIT_S, ScriptedLoadedModel, scripted_model

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.api.served_model import LoadedModel
    from service.config import ModelConfig
    from service.engine.language_model import Segment


class StepGate:
    """Holds each step of a model until it is allowed.

    Attributes:
        n_rows: rows of logits of all steps that have passed.
        n_decoding: sequences of the step that waits, if all of them decode; else 0.
    """

    def __init__(self) -> None:
        self.n_rows = 0
        self.n_decoding = 0
        self._changed = threading.Condition()
        self._is_allowed = False
        self._is_open = False
        self._is_waiting = False

    def step(self) -> None:
        """Let one step pass, and return once the next one waits."""
        with self._changed:
            self._await_step()
            self._is_allowed, self._is_waiting = True, False
            self._changed.notify_all()
            self._await_step()

    def open(self) -> None:
        """Let all steps pass from now on."""
        with self._changed:
            self._is_open = True
            self._changed.notify_all()

    def pass_through(self, segments: Sequence[Segment]) -> None:
        """Wait until a step with these segments is allowed; for the engine's thread."""
        with self._changed:
            self.n_decoding = len(segments) if all(len(segment.tokens) == 1 for segment in segments) else 0
            self._is_waiting = True
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._is_allowed or self._is_open, WAIT_S), "no step was allowed"
            self._is_allowed = False
            self.n_rows += sum(segment.n_logits for segment in segments)

    def _await_step(self) -> None:
        assert self._changed.wait_for(lambda: self._is_waiting, WAIT_S), "no step came"


def load_gated(gate: StepGate) -> Callable[..., LoadedModel]:
    """A ``load`` for ``CoreServer``."""

    class GatedCompute(ScriptedCompute):
        def decode(self, segments: Sequence[Segment], n_filler: int = 0) -> None:
            gate.pass_through(segments)
            super().decode(segments, n_filler)

    class GatedModel(ScriptedModel):
        compute_type = GatedCompute

    class GatedLoadedModel(ScriptedLoadedModel):
        model_type = GatedModel

    def load(config: ModelConfig, *, on_progress: Any) -> LoadedModel:
        return scripted_model(config, GatedLoadedModel)

    return load
