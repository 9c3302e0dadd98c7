"""Helpers to run the engine on the scripted model without threads."""

from __future__ import annotations

from dataclasses import dataclass, field

from service.config import EngineConfig
from service.engine.engine import Engine
from service.engine.scripted import ScriptedModel, VirtualClock
from service.engine.types import Accepted, Event, Failed, Finished, GenerationRequest, Piece
from service.sampling.settings import SamplingSettings

GREEDY = SamplingSettings(temperature=0.0, repeat_penalty=1.0)


@dataclass
class RecordingSink:
    """Keeps the events of one request."""

    events: list[Event] = field(default_factory=list)

    def put(self, events: list[Event]) -> None:
        """Take events."""
        self.events += events

    @property
    def text(self) -> str:
        """All text so far."""
        return "".join(event.text for event in self.events if isinstance(event, Piece))

    @property
    def accepted(self) -> Accepted:
        """The only acceptance."""
        (accepted,) = [event for event in self.events if isinstance(event, Accepted)]
        return accepted

    @property
    def finished(self) -> Finished:
        """The only ending, which must be the last event."""
        last = self.events[-1]
        assert isinstance(last, Finished), last
        assert sum(isinstance(event, Finished | Failed) for event in self.events) == 1
        return last

    @property
    def failed(self) -> Failed:
        """The only failure, which must be the last event."""
        last = self.events[-1]
        assert isinstance(last, Failed), last
        assert sum(isinstance(event, Finished | Failed) for event in self.events) == 1
        return last

    @property
    def is_over(self) -> bool:
        """Whether the request has ended."""
        return bool(self.events) and isinstance(self.events[-1], Finished | Failed)


class EngineBench:
    """An engine on a scripted model in virtual time; every step checks the ledger against the model's memory."""

    def __init__(self, config: EngineConfig | None = None, **model_options: object) -> None:
        self.config = config or EngineConfig(n_slots=2, n_ctx_slot=128)
        self.clock = VirtualClock()
        options: dict[str, object] = {
            "n_cells": self.config.n_slots * self.config.n_ctx_slot,
            "n_seq_max": self.config.n_slots,
        }
        self.model = ScriptedModel(clock=self.clock, **(options | model_options))  # type: ignore[arg-type]
        self.engine = Engine(self.model, self.config, self.clock)
        self._next_task = 0

    def submit(self, request: GenerationRequest) -> tuple[int, RecordingSink]:
        """Queue a request."""
        self._next_task += 1
        sink = RecordingSink()
        self.engine.submit(self._next_task, request, sink)
        return self._next_task, sink

    def step(self) -> None:
        """Do one step and deliver its events."""
        for sink, events in self.engine.step():
            sink.put(events)
        self.check()

    def run(self, max_steps: int = 10_000) -> None:
        """Step until nothing is left to do."""
        for _ in range(max_steps):
            if not self.engine.has_work:
                return
            self.step()
        raise AssertionError(f"still busy after {max_steps} steps")

    def complete(self, request: GenerationRequest) -> RecordingSink:
        """Run one request to its end."""
        _, sink = self.submit(request)
        self.run()
        return sink

    def check(self) -> None:
        """The invariants that hold after every step."""
        snapshot = self.engine.snapshot()
        assert snapshot.kv_cells_used == self.model.cells_used
        for slot in snapshot.slots:
            assert slot.cached_tokens == self.model.position_max(slot.id) + 1


def prompt(text: str) -> tuple[int, ...]:
    """The tokens of a text in the scripted model's vocabulary."""
    return tuple(text.encode())
