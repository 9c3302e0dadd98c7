"""Helpers to run the engine on the scripted model without threads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from service.config import EngineConfig, Pooling
from service.engine.encoder_engine import EncoderEngine
from service.engine.engine import Engine
from service.engine.request.events import (
    Accepted,
    Embedded,
    Event,
    Failed,
    Finished,
    Piece,
    PromptTokens,
    TokenRecord,
    is_last,
)
from service.engine.request.requests import EmbeddingRequest, GenerationRequest, Request
from service.sampling.settings import SamplingSettings
from service.testing.scripted_media import numbers
from service.testing.scripted_model import (
    ScriptedEncoderModel,
    ScriptedModel,
    VirtualClock,
    moved_token,
    next_letter,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Sequence as SequenceOf

    from service.engine.language_model import CausalModel, Rows

#: Sequences of the scripted model that are left for embeddings.
N_EMBEDDING_SEQUENCES = 4
#: What calls of a draft model cost, and each token in them: less than those of the model.
DRAFT_STEP_S, DRAFT_TOKEN_S = 0.001, 0.0001
#: How embeddings are made; scores of pairs are another matter.
POOLINGS = (Pooling.LAST, Pooling.MEAN, Pooling.CLS, Pooling.NONE)
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

    def text_of(self, index: int) -> str:
        """The text of one sequence so far."""
        return "".join(event.text for event in self.events if isinstance(event, Piece) and event.index == index)

    @property
    def prompt_tokens(self) -> tuple[TokenRecord, ...]:
        """The records of the prompt so far."""
        return tuple(record for event in self.events if isinstance(event, PromptTokens) for record in event.tokens)

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
        assert [event for event in self.events if is_last(event)] == [last]
        return last

    @property
    def endings(self) -> dict[int, Finished]:
        """The endings of all sequences; there must be no other kind, and the last one must be the last event."""
        endings = {event.index: event for event in self.events if isinstance(event, Finished)}
        assert [event for event in self.events if is_last(event)] == self.events[-1:]
        assert isinstance(self.events[-1], Finished)
        return endings

    @property
    def embedded(self) -> Embedded:
        """The only event, the vectors."""
        (event,) = self.events
        assert isinstance(event, Embedded), event
        return event

    @property
    def failed(self) -> Failed:
        """The only failure, which must be the last event."""
        last = self.events[-1]
        assert isinstance(last, Failed), last
        assert [event for event in self.events if is_last(event)] == [last]
        return last

    @property
    def is_over(self) -> bool:
        """Whether the request has ended."""
        return bool(self.events) and is_last(self.events[-1])


EngineT = TypeVar("EngineT", bound=Engine | EncoderEngine)


class _Stepped(Generic[EngineT]):
    """An engine without a thread; ``check`` is called after every step."""

    def __init__(self, engine: EngineT, config: EngineConfig, clock: VirtualClock) -> None:
        self.config = config
        self.clock = clock
        self.engine = engine
        self._next_task = 0

    def submit(self, request: Request) -> tuple[int, RecordingSink]:
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

    def complete(self, request: Request) -> RecordingSink:
        """Run one request to its end."""
        _, sink = self.submit(request)
        self.run()
        return sink

    def embed(self, *texts: str) -> RecordingSink:
        """Run a request for embeddings to its end."""
        return self.complete(EmbeddingRequest(tuple(prompt(text) for text in texts)))

    def check(self) -> None:
        """What must hold after every step."""


class SteppedEngine(_Stepped[Engine]):
    """An engine on any model that generates."""

    def __init__(self, model: CausalModel, config: EngineConfig, clock: VirtualClock) -> None:
        super().__init__(Engine(model, config, clock), config, clock)


class EncoderBench(_Stepped[EncoderEngine]):
    """An engine on the scripted encoder in virtual time."""

    def __init__(self, config: EngineConfig | None = None, **model_options: object) -> None:
        config = config or EngineConfig(n_slots=2, n_ctx_slot=128)
        clock = VirtualClock()
        self.model = ScriptedEncoderModel(clock=clock, **model_options)  # type: ignore[arg-type]
        super().__init__(EncoderEngine(self.model, config, clock), config, clock)

    def fail_next(self, error: Exception) -> None:
        """Let the next call of the model fail."""
        self.model.encoder.fail_next = error

    def check(self) -> None:
        """The slots that are shown stay idle, and no cells are used."""
        snapshot = self.engine.snapshot()
        assert len(snapshot.slots) == self.config.n_slots
        assert (snapshot.slots_processing, snapshot.kv_cells_used) == (0, 0)


class EngineBench(SteppedEngine):
    """An engine on a scripted model in virtual time; every step checks what it believes against the model's memory.

    Args:
        config: two slots of 128 tokens if it is None.
        model_class: the scripted model, or one made of it.
        draft_options: those of a draft model of the same class, None for no draft model.
        model_options: replace the defaults, which give every slot cells of its own.
    """

    def __init__(
        self,
        config: EngineConfig | None = None,
        *,
        model_class: type[ScriptedModel] = ScriptedModel,
        draft_options: Mapping[str, object] | None = None,
        **model_options: object,
    ) -> None:
        config = config or EngineConfig(n_slots=2, n_ctx_slot=128)
        clock = VirtualClock()
        options: dict[str, object] = {
            "n_cells": config.n_slots * config.n_ctx_slot,
            "n_seq_max": config.n_slots + 1 + N_EMBEDDING_SEQUENCES,
        }
        if draft_options is not None:
            times: dict[str, object] = {"step_s": DRAFT_STEP_S, "token_s": DRAFT_TOKEN_S}
            draft = model_class(clock=clock, **(options | times | dict(draft_options)))  # type: ignore[arg-type]
            options["draft"] = draft
        self.model = model_class(clock=clock, **(options | model_options))  # type: ignore[arg-type]
        super().__init__(self.model, config, clock)

    def fail_next(self, error: Exception) -> None:
        """Let the next call of the model fail."""
        self.model.compute.fail_next = error

    def check(self) -> None:
        """The invariants that hold after every step."""
        snapshot = self.engine.snapshot()
        cells = {id(cell) for seq_id in range(self.model.info.n_seq_max) for cell in self.model.memory.cells(seq_id)}
        assert snapshot.kv_cells_used == len(cells) == self.model.info.n_cells - self.model.memory.cells_free
        ledger = self.engine.dump()
        for slot in ledger.slots:
            assert numbers(slot.items) == self.model.memory.tokens(slot.id)
            assert all(cell.holders == 1 for cell in self.model.memory.cells(slot.id)[slot.n_shared :])
            assert slot.n_indexed <= slot.n_reusable
            if self.config.group_n == 1 or not slot.is_idle:
                assert self.model.memory.next_position(slot.id) == slot.next_position
        limit = self.config.cache_ram_bytes
        assert snapshot.saved_bytes == ledger.n_saved_bytes
        assert snapshot.saved_prompts == len(ledger.saved) == ledger.n_saved_indexed
        assert ledger.n_saved_bytes == sum(prompt.n_bytes for prompt in ledger.saved)
        assert limit is None or ledger.n_saved_bytes <= limit
        if not self.engine.has_work:
            first = self.config.n_slots + 1
            assert not any(self.model.memory.tokens(seq_id) for seq_id in range(first, self.model.info.n_seq_max))
            assert self.model.vocabulary.open_grammars == 0


def prompt(text: str) -> tuple[int, ...]:
    """The tokens of a text in the scripted model's vocabulary."""
    return tuple(text.encode())


def request(text: str = "hello", **options: object) -> GenerationRequest:
    """A greedy request of eight tokens."""
    defaults: dict[str, object] = {"prompt": prompt(text), "sampling": GREEDY, "max_tokens": 8}
    return GenerationRequest(**(defaults | options))  # type: ignore[arg-type]


def expected_text(text: str, n_tokens: int) -> str:
    """What the scripted model says behind a text if nobody disturbs it."""
    return next_letters(prompt(text), n_tokens)


def pooled(rows: Rows, pooling: Pooling) -> Rows:
    """What a pooling makes of the states of an input: a row, or one for each of its tokens."""
    if pooling is Pooling.MEAN:
        mean: Rows = rows.mean(axis=0, keepdims=True)
        return mean
    if pooling is Pooling.NONE:
        return rows
    return rows[-1:] if pooling is Pooling.LAST else rows[:1]


def assert_scored(
    records: SequenceOf[TokenRecord],
    own: SequenceOf[int],
    before: SequenceOf[int] = (),
    scales: SequenceOf[float] = (),
) -> None:
    """The records are those of the first of these tokens, as the scripted model sees them behind others.

    Args:
        records: the records.
        own: the tokens.
        before: the others.
        scales: of the model's adapters.
    """
    assert [record.id for record in records] == list(own[: len(records)])
    memory = list(before)
    for place, record in enumerate(records):
        if place == 0:
            assert (record.logprob, record.rank, record.top_logprobs) == (None, None, ())
        else:
            expected = moved_token(next_letter(memory), scales)
            assert record.logprob is not None
            assert (record.rank == 1) == (record.id == expected) == (record.logprob > -1)
            assert not record.top_logprobs or record.top_logprobs[0][0] == expected
        memory.append(record.id)


def next_letters(tokens: SequenceOf[int], n_tokens: int, scales: SequenceOf[float] = ()) -> str:
    """What the scripted model says behind tokens, with such scales of its adapters, if nobody disturbs it."""
    memory = list(tokens)
    for _ in range(n_tokens):
        memory.append(moved_token(next_letter(memory), scales))
    return bytes(memory[len(tokens) :]).decode()
