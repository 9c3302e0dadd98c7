"""The thread that owns the model: takes requests from other threads, drives the engine, hands its events over."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from service.engine.encoder_engine import EncoderEngine
from service.engine.engine import Engine
from service.engine.language_model import EncoderModel
from service.engine.request.events import Delivery, Piece, Sink
from service.engine.request.snapshots import Counters, EngineSnapshot
from service.engine.schedule.retries import RetryTimes
from service.errors import Draining, EngineFailure, QueueFull

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.config import EngineConfig
    from service.engine.language_model import LanguageModel
    from service.engine.request.requests import Request
    from service.engine.schedule.long_steps import LongSteps

logger = logging.getLogger(__name__)

#: Seconds for which a snapshot may be out of date while running requests get tokens and nothing else happens.
SNAPSHOT_AGE_S = 0.05


@dataclass(frozen=True, slots=True)
class Progress:
    """Whether the engine's thread makes progress.

    Attributes:
        n_turns: grows with every step, and with every report of loading.
        has_work: whether the thread does something, or is about to.
    """

    n_turns: int
    has_work: bool


@dataclass(slots=True)
class _Inbox:
    """What other threads asked for since the last step."""

    submitted: list[tuple[int, Request, Sink, float]] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.submitted or self.cancelled)


class EngineThread:
    """One native thread that loads the model and then runs the engine until it is stopped.

    All methods may be called from any thread.

    Args:
        load: loads the model; called in the thread with a function that takes progress from 0 to 1.
        config: slots and limits.
        deliver: takes events; called in the thread, after each step and, if something is known before the model
            computes, in it; must not block.
        on_loaded: called in the thread after loading, before the first step.
        on_progress: called in the thread while loading, with 0 to 1.
        on_failed: called in the thread if loading failed or the engine died; nothing is served afterwards.
    """

    def __init__(
        self,
        load: Callable[[Callable[[float], None]], LanguageModel],
        config: EngineConfig,
        *,
        deliver: Callable[[list[Delivery]], None],
        on_loaded: Callable[[LanguageModel], None],
        on_progress: Callable[[float], None],
        on_failed: Callable[[BaseException], None],
    ) -> None:
        self._load = load
        self._config = config
        self._deliver = deliver
        self._on_loaded = on_loaded
        self._on_progress = on_progress
        self._on_failed = on_failed
        self._wake = threading.Condition()
        self._inbox = _Inbox()
        self._is_stopping = False
        self._long_steps: LongSteps | None = None
        self._queue_depth = 0
        self._snapshot = EngineSnapshot((), 0, 0, 0, Counters())
        self._snapshot_s = 0.0
        self._retries = RetryTimes(config.n_slots)
        self._n_turns = 0
        self._is_resting = True
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        """Start the thread, which loads the model first."""
        self._thread.start()

    def submit(self, task_id: int, request: Request, sink: Sink) -> None:
        """Queue a request; its events go to ``sink`` through ``deliver``.

        Raises:
            QueueFull: ``max_queue`` requests are waiting.
            Draining: the engine was stopped.
        """
        with self._wake:
            self.check_queue()
            self._inbox.submitted.append((task_id, request, sink, time.perf_counter()))
            self._call()

    def check_queue(self) -> None:
        """Tell whether ``submit`` would take a request now; to be asked before one is prepared.

        Raises:
            QueueFull, Draining: it would not.
        """
        if self._is_stopping:
            raise Draining
        waiting = self._queue_depth + len(self._inbox.submitted)
        idle = len(self._snapshot.slots) - self._snapshot.slots_processing
        if waiting >= self._config.max_queue + idle:
            raise QueueFull(self._config.max_queue, self._retry_s(waiting))

    def cancel(self, task_id: int) -> None:
        """End a request at the next step without further events; ids of ended requests are ignored."""
        with self._wake:
            self._inbox.cancelled.append(task_id)
            self._call()

    def snapshot(self) -> EngineSnapshot:
        """The engine after its last step, or one of ``SNAPSHOT_AGE_S`` if there were only tokens since."""
        return self._snapshot

    def progress(self) -> Progress:
        """Whether the thread makes progress; never waits for it."""
        return Progress(self._n_turns, has_work=not self._is_resting)

    def stop(self) -> None:
        """End running requests as cancelled, then wait for the thread to end."""
        with self._wake:
            self._is_stopping = True
            self._call()
        if self._thread.is_alive():
            self._thread.join()

    def _call(self) -> None:
        """Let the thread see what is new, at once if it waits or is in a long step; with the lock."""
        self._wake.notify()
        if self._long_steps is not None:
            self._long_steps.interrupt()

    def _run(self) -> None:
        self._is_resting = False
        try:
            self._load_and_serve()
        finally:
            self._is_resting = True

    def _note_progress(self, part: float) -> None:
        self._n_turns += 1
        self._on_progress(part)

    def _load_and_serve(self) -> None:
        try:
            model = self._load(self._note_progress)
        except BaseException as error:  # whatever it was, the owner must hear of it: this thread ends here
            self._on_failed(error)
            return
        engine = _make_engine(model, self._config)
        self._snapshot = engine.snapshot()
        if isinstance(engine, Engine):
            self._long_steps = engine.long_steps
        self._on_loaded(model)
        try:
            self._serve(engine)
        except BaseException as error:  # as above; waiting callers are told, then the owner
            logger.exception("the engine died")
            self._publish(engine, engine.fail_all(EngineFailure("the engine died")))
            self._on_failed(error)

    def _serve(self, engine: Engine | EncoderEngine) -> None:
        while True:
            with self._wake:
                while not (self._inbox or self._is_stopping or engine.has_work):
                    self._is_resting = True
                    self._wake.wait()
                self._is_resting = False
                if self._long_steps is not None:
                    self._long_steps.resume()
                inbox, self._inbox = self._inbox, _Inbox()
                self._queue_depth += len(inbox.submitted)
                is_stopping = self._is_stopping
            for submission in inbox.submitted:
                engine.submit(*submission)
            for task_id in inbox.cancelled:
                engine.cancel(task_id)
            if is_stopping:
                self._publish(engine, engine.stop())
                return
            self._publish(engine, engine.step(partial(self._publish_early, engine)))
            self._n_turns += 1

    def _publish_early(self, engine: Engine | EncoderEngine, deliveries: list[Delivery]) -> None:
        """Publish what is known before the model computes; what comes of it is to be seen after this very step."""
        self._publish(engine, deliveries)
        self._snapshot_s = 0.0

    def _publish(self, engine: Engine | EncoderEngine, deliveries: list[Delivery]) -> None:
        now_s = time.perf_counter()
        # A snapshot takes as long as choosing a token, and small models make hundreds of steps a second.
        if now_s - self._snapshot_s >= SNAPSHOT_AGE_S or not _are_tokens(deliveries):
            self._snapshot, self._snapshot_s = engine.snapshot(), now_s
        depth = engine.queue_depth
        # Nobody else changes it.
        if depth != self._queue_depth:
            with self._wake:
                self._queue_depth = depth
        if deliveries:
            self._deliver(deliveries)

    def _retry_s(self, n_waiting: int) -> float:
        """When a request that is refused now is advised to come back, in seconds from now."""
        counters = self._snapshot.counters
        held_s = (counters.prompt_s + counters.predicted_s) / counters.finished if counters.finished else 0.0
        return self._retries.next_s(time.perf_counter(), held_s, n_waiting)


def _make_engine(model: LanguageModel, config: EngineConfig) -> Engine | EncoderEngine:
    """The engine for a kind of model."""
    if isinstance(model, EncoderModel):
        return EncoderEngine(model, config, time.perf_counter)
    return Engine(model, config, time.perf_counter)


def _are_tokens(deliveries: list[Delivery]) -> bool:
    """Whether running requests got tokens, and nobody anything else."""
    return bool(deliveries) and all(type(event) is Piece for _, events in deliveries for event in events)
