"""An engine on llama.cpp, compared with it after every step, and random requests that come and go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.config import EngineConfig
from service.engine.request.requests import Request, SystemPrompt, SystemPromptRequest
from service.testing.scripted_model import VirtualClock
from tests.support.engine import RecordingSink, SteppedEngine
from tests.support.pictures import step_of

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from service.llama.llama_model import LlamaModel

#: Of an engine for which nothing else is said.
N_SLOTS, N_CTX_SLOT = 3, 64


class LlamaBench(SteppedEngine):
    """An engine on the library, compared with it after every step.

    Args:
        model: empty.
        options: those of ``EngineConfig``.
    """

    def __init__(self, model: LlamaModel, **options: Any) -> None:
        self.model = model
        config = EngineConfig(**{"n_slots": N_SLOTS, "n_ctx_slot": N_CTX_SLOT, **options})
        super().__init__(model, config, VirtualClock())

    def check(self) -> None:
        """What the engine believes is what the library holds."""
        self.clock.advance(0.01)
        for slot in self.engine.dump().slots:
            if not slot.is_idle or self.config.group_n == 1:
                last = step_of(slot.items[-1]) if slot.items else 1
                assert self.model.memory.position_max(slot.id) == slot.next_position - last
        assert self.model.memory.cells_free == self.model.info.n_cells - self.engine.snapshot().kv_cells_used

    def empty(self) -> None:
        """Give everything back, as the engine would, and find no cell missing."""
        self.complete(SystemPromptRequest(SystemPrompt("x", (1,))))
        self.complete(SystemPromptRequest(SystemPrompt()))
        assert self.model.memory.cells_free == self.model.info.n_cells
        assert all(self.model.memory.position_max(seq_id) == -1 for seq_id in range(self.model.info.n_seq_max))

    def run_random(self, random_: random.Random, make_request: Callable[[], Request]) -> list[RecordingSink]:
        """Submit and cancel requests by chance, and run to the end; sinks of those that were not cancelled."""
        alive: dict[int, RecordingSink] = {}
        for _ in range(150):
            if random_.random() < 0.3:
                task_id, sink = self.submit(make_request())
                alive[task_id] = sink
            if alive and random_.random() < 0.1:
                task_id = random_.choice(list(alive))
                self.engine.cancel(task_id)
                del alive[task_id]
            self.step()
        self.run()
        assert all(sink.is_over for sink in alive.values())
        return list(alive.values())
