"""Carries out the commands of transcripts on an engine with the scripted model, in virtual time."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from service.engine.language_model import CacheFull, DecodeFailed, MediaSegment, Segment
from service.engine.request.events import Accepted, Delivery
from service.engine.request.requests import EmbeddingRequest, Request, SystemPrompt, SystemPromptRequest
from service.errors import ServiceError
from service.testing.scripted_model import Script, next_letter
from tests.engine.answers import Asked, check_answer
from tests.engine.arguments import Arguments, CommandError
from tests.engine.observed_model import ObservedModel, Watch
from tests.engine.options import (
    draft_options,
    engine_config,
    evaluated,
    generation_request,
    model_class,
    model_options,
    picture_kind,
    script,
)
from tests.engine.record import (
    Batch,
    Line,
    StepRecord,
    describe_batch,
    describe_draft_call,
    describe_events,
    describe_media,
    describe_move,
    sequence_name,
    summarize,
)
from tests.engine.state import describe_cache, describe_slots, describe_totals
from tests.support.engine import EngineBench, RecordingSink, prompt
from tests.support.pictures import media_of, prompt_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.engine.request.sequence import SequenceLife
    from service.engine.request.state import SequenceState

#: Steps after which ``run`` gives up.
_MAX_STEPS = 10_000


class Player:
    """One scenario: an engine that ``engine`` makes, and what is asked of it."""

    def __init__(self) -> None:
        self._bench: EngineBench | None = None
        self._script: Script = next_letter
        self._pictures = "none"
        self._asked: dict[str, Asked] = {}
        self._n_steps = 0
        self._record = StepRecord(0)
        self._commands: dict[str, Callable[[Arguments], list[str]]] = {
            "engine": self._engine,
            "submit": self._submit,
            "embed": self._embed,
            "system": self._system,
            "cancel": self._cancel,
            "drain": self._drain,
            "fault": self._fault,
            "wait": self._wait,
            "step": self._step,
            "run": self._run,
            "slots": self._slots,
            "cache": self._cache,
            "totals": self._totals,
        }

    def play(self, line: str) -> list[str]:
        """Carry out a command; return the lines that it prints.

        Raises:
            CommandError: it cannot be understood or carried out.
        """
        arguments = Arguments(line, self._texts())
        command = self._commands.get(arguments.name)
        if command is None:
            raise CommandError(f"no command is called {arguments.name!r}; there are {', '.join(self._commands)}")
        return command(arguments)

    # Beginnings -----------------------------------------------------------------------------------------------------

    def _engine(self, arguments: Arguments) -> list[str]:
        config = engine_config(arguments)
        self._script = script(arguments)
        self._pictures = picture_kind(arguments)
        options = model_options(arguments, self._pictures)
        observed_model = model_class(arguments)
        draft = draft_options(arguments, self._script)
        arguments.finish()
        self._asked = {}
        self._n_steps = 0
        try:
            self._bench = EngineBench(
                config, model_class=observed_model, draft_options=draft, script=self._script, **options
            )
        except ServiceError as error:
            self._bench = None
            return [f"refused: {error.reason}, {error}"]
        self._watch(self._model.watch)
        if isinstance(self._model.draft, ObservedModel):
            self._watch_draft(self._model.draft.watch)
        self._bench.engine.listen(self._on_move)
        return []

    def _watch(self, watch: Watch) -> None:
        n_slots = self._running.config.n_slots
        watch.name_of = lambda seq_id: sequence_name(seq_id, n_slots)
        watch.on_batch = self._on_batch
        watch.on_media = self._on_media
        watch.on_failure = self._on_failure
        watch.on_change = lambda change: self._record.entries.append(Line(change))

    def _watch_draft(self, watch: Watch) -> None:
        watch.name_of = lambda seq_id: f"slot {seq_id}"
        watch.on_batch = lambda segments, _: self._record.entries.append(describe_draft_call(segments))
        watch.on_change = lambda change: self._record.entries.append(Line(f"draft model: {change}", is_progress=True))

    @property
    def _running(self) -> EngineBench:
        if self._bench is None:
            raise CommandError("there is no engine; the command engine makes one")
        return self._bench

    @property
    def _model(self) -> ObservedModel:
        model = self._running.model
        assert isinstance(model, ObservedModel)
        return model

    # Requests -------------------------------------------------------------------------------------------------------

    def _submit(self, arguments: Arguments) -> list[str]:
        name = arguments.word()
        request = generation_request(arguments, self._pictures)
        arguments.finish()
        return self._ask(name, request)

    def _embed(self, arguments: Arguments) -> list[str]:
        name = arguments.word()
        prompts = arguments.all_prompts()
        arguments.finish()
        inputs = [evaluated(parts, self._pictures) for parts in prompts]
        request = EmbeddingRequest(tuple(prompt_of(*parts) for parts in inputs), media_of(*chain(*inputs)))
        return self._ask(name, request)

    def _system(self, arguments: Arguments) -> list[str]:
        name = arguments.word()
        (text,) = arguments.all_texts()
        arguments.finish()
        return self._ask(name, SystemPromptRequest(SystemPrompt(text, prompt(text))))

    def _ask(self, name: str, request: Request) -> list[str]:
        if name in self._asked:
            raise CommandError(f"there is a request {name!r} already")
        asked = self._asked[name] = Asked(name, len(self._asked) + 1, request, RecordingSink())
        engine = self._running.engine
        return self._between_steps(f"submit {name}", lambda: engine.submit(asked.task_id, request, asked.sink))

    def _cancel(self, arguments: Arguments) -> list[str]:
        name = arguments.word()
        arguments.finish()
        asked = self._asked.get(name)
        if asked is None:
            raise CommandError(f"no request is called {name!r}")
        asked.was_cancelled = True
        return self._between_steps(f"cancel {name}", lambda: self._running.engine.cancel(asked.task_id))

    def _drain(self, arguments: Arguments) -> list[str]:
        arguments.finish()
        return self._between_steps("drain", lambda: self._deliver(self._running.engine.stop()))

    def _fault(self, arguments: Arguments) -> list[str]:
        match arguments.word():
            case "batch":
                self._running.fail_next(DecodeFailed("as planned"))
            case "cells":
                self._running.fail_next(CacheFull())
            case "draft":
                assert self._model.draft is not None
                self._model.draft.compute.fail_next = DecodeFailed("as planned")
            case "save":
                self._model.watch.fails_to_save = DecodeFailed("as planned")
            case "memory":
                self._model.watch.fails_to_save = MemoryError()
            case "restore":
                self._model.watch.fails_to_restore = True
            case other:
                raise CommandError(
                    f"no fault is called {other!r}; there are batch, cells, draft, save, memory and restore"
                )
        arguments.finish()
        return []

    def _wait(self, arguments: Arguments) -> list[str]:
        self._running.clock.advance((arguments.count() or 0) / 1000)
        arguments.finish()
        return []

    # Steps ----------------------------------------------------------------------------------------------------------

    def _step(self, arguments: Arguments) -> list[str]:
        n_steps = arguments.count() or 1
        arguments.finish()
        return [line for _ in range(n_steps) for line in self._do_step().details()]

    def _run(self, arguments: Arguments) -> list[str]:
        limit = arguments.count()
        arguments.finish()
        steps: list[StepRecord] = []
        while self._running.engine.has_work and len(steps) != limit:
            steps.append(self._do_step())
            if len(steps) > _MAX_STEPS:
                raise CommandError(f"still busy after {_MAX_STEPS} steps")
        return summarize(steps)

    def _do_step(self) -> StepRecord:
        self._n_steps += 1
        self._record = StepRecord(self._n_steps)
        started_s = self._running.clock.now_s
        self._running.step()
        self._record.time_s = self._running.clock.now_s - started_s
        self._collect()
        return self._record

    def _between_steps(self, what: str, action: Callable[[], None]) -> list[str]:
        self._record = StepRecord(self._n_steps)
        action()
        self._running.check()
        self._collect()
        details = self._record.details()[1:]
        return [what, *details] if details else []

    @staticmethod
    def _deliver(deliveries: Sequence[Delivery]) -> None:
        for sink, events in deliveries:
            sink.put(events)

    def _collect(self) -> None:
        """Describe what requests got, and check those that are over."""
        system = self._running.engine.snapshot().system_prompt
        for asked in self._asked.values():
            events = asked.take_new_events()
            if any(isinstance(event, Accepted) for event in events):
                asked.system = system.tokens if system is not None else ()
            self._record.events += describe_events(asked.name, events, asked.texts, asked.n_sequences)
            if events and asked.sink.is_over:
                check_answer(asked, self._script)

    def _on_move(self, life: SequenceLife, before: SequenceState) -> None:
        name = self._names()[life.task.id]
        n_sequences = life.task.request.n_sequences
        self._record.entries.append(describe_move(name, life.index, n_sequences, before, life.state))

    def _names(self) -> dict[int, str]:
        """The names of requests, by task."""
        return {asked.task_id: asked.name for asked in self._asked.values()}

    def _on_batch(self, segments: Sequence[Segment], n_filler: int) -> None:
        snapshot = self._running.engine.snapshot()
        self._record.entries.append(describe_batch(segments, n_filler, snapshot, self._names()))

    def _on_media(self, segments: Sequence[MediaSegment]) -> None:
        snapshot = self._running.engine.snapshot()
        self._record.entries.append(describe_media(segments, snapshot, self._names()))

    def _on_failure(self, error: Exception) -> None:
        batch = self._record.entries[-1]
        assert isinstance(batch, Batch)
        batch.failure = ": no cells" if isinstance(error, CacheFull) else ": fails"

    # What there is --------------------------------------------------------------------------------------------------

    def _slots(self, arguments: Arguments) -> list[str]:
        arguments.finish()
        engine = self._running.engine
        return describe_slots(engine.snapshot(), engine.n_sharing, self._names())

    def _cache(self, arguments: Arguments) -> list[str]:
        arguments.finish()
        positions = [
            [cell.position for cell in self._model.memory.cells(slot.id)] for slot in self._running.engine.dump().slots
        ]
        return describe_cache(self._running.engine.snapshot(), self._running.engine.dump(), positions)

    def _totals(self, arguments: Arguments) -> list[str]:
        arguments.finish()
        return describe_totals(self._running.engine.snapshot())

    def _texts(self) -> dict[str, str]:
        """What requests have answered; that of several sequences by number, too."""
        texts: dict[str, str] = {}
        for name, asked in self._asked.items():
            texts[name] = asked.sink.text
            texts |= {f"{name}.{index}": text for index, text in asked.texts.items()}
        return texts
