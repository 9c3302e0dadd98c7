"""The engine thread: requests from other threads, limits of the queue, ends and failures."""

from __future__ import annotations

import queue
import threading
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from service.config import EngineConfig
from service.engine.language_model import Interrupted
from service.engine.request.events import Accepted, Delivery, Event, Failed, Finished, FinishReason
from service.engine.request.requests import GenerationRequest
from service.engine.thread import EngineThread, Progress
from service.errors import Draining, QueueFull
from service.testing.scripted_model import ScriptedCompute, ScriptedModel, VirtualClock, next_letter
from tests.support.engine import GREEDY, prompt
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from collections.abc import Sequence as SequenceOf

    from service.engine.language_model import LanguageModel, Segment


class QueueSink:
    """Hands events to the test's thread."""

    def __init__(self) -> None:
        self.events: queue.Queue[Event] = queue.Queue()

    def put(self, events: list[Event]) -> None:
        for event in events:
            self.events.put(event)

    def until(self, kind: type[Event]) -> Event:
        """The next event of a kind."""
        while True:
            event = self.events.get(timeout=30)
            if isinstance(event, kind):
                return event


class Harness:
    """An engine thread over a scripted model whose steps wait for ``gate``."""

    def __init__(self, config: EngineConfig, script: Callable[..., int] = next_letter) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.loaded = threading.Event()
        self.progress: list[float] = []
        self.failures: queue.Queue[BaseException] = queue.Queue()

        def gated(tokens: object) -> int:
            assert self.gate.wait(30)
            return script(tokens)

        def load(on_progress: Callable[[float], None]) -> LanguageModel:
            on_progress(0.5)
            on_progress(1.0)
            return ScriptedModel(n_cells=4096, n_seq_max=config.n_slots, script=gated)

        self.thread = EngineThread(
            load,
            config,
            deliver=self.deliver,
            on_loaded=lambda model: self.loaded.set(),
            on_progress=self.progress.append,
            on_failed=self.failures.put,
        )

    @staticmethod
    def deliver(deliveries: list[Delivery]) -> None:
        for sink, events in deliveries:
            sink.put(events)


@contextmanager
def running(config: EngineConfig | None = None, script: Callable[..., int] = next_letter) -> Iterator[Harness]:
    harness = Harness(config or EngineConfig(n_slots=2, n_ctx_slot=512), script)
    harness.thread.start()
    assert harness.loaded.wait(30)
    try:
        yield harness
    finally:
        harness.gate.set()
        harness.thread.stop()


def request(max_tokens: int = 5) -> GenerationRequest:
    return GenerationRequest(prompt=prompt("hello"), sampling=GREEDY, max_tokens=max_tokens)


def test_a_request_from_another_thread_is_answered() -> None:
    with running() as harness:
        sink = QueueSink()
        harness.thread.submit(1, request(), sink)
        finished = sink.until(Finished)
        assert isinstance(finished, Finished)
        assert finished.tokens_predicted == 5
        assert harness.progress == [0.5, 1.0]


def test_a_request_has_arrived_when_it_is_submitted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not when the step ends that the engine does at that time."""
    clock, in_step = VirtualClock(), threading.Event()
    monkeypatch.setattr("service.engine.thread.time", SimpleNamespace(perf_counter=clock))

    def script(tokens: SequenceOf[int]) -> int:
        if not in_step.is_set():
            in_step.set()
            assert submitted.wait(30)
        return next_letter(tokens)

    submitted = threading.Event()
    with running(script=script) as harness:
        first, second = QueueSink(), QueueSink()
        harness.thread.submit(1, request(), first)
        assert in_step.wait(30)
        harness.thread.submit(2, request(), second)
        clock.advance(5.0)
        submitted.set()
        accepted = second.until(Accepted)
        assert isinstance(accepted, Accepted)
        assert accepted.queued_s == 5.0
        second.until(Finished)
        assert harness.thread.snapshot().distributions.queue_s.sum == 5.0


def test_the_queue_is_bounded_and_says_when_to_come_back() -> None:
    with running(EngineConfig(n_slots=1, n_ctx_slot=512, max_queue=2)) as harness:
        harness.gate.clear()
        sinks = [QueueSink() for _ in range(3)]
        for task_id, sink in enumerate(sinks):
            harness.thread.submit(task_id, request(), sink)
        with pytest.raises(QueueFull) as raised:
            _submit_two_more(harness)
        assert raised.value.retry_after_s is not None
        assert raised.value.retry_after_s >= 1
        harness.gate.set()
        for sink in sinks:
            sink.until(Finished)


def test_who_obeys_the_message_does_not_come_too_early() -> None:
    assert str(QueueFull(6, 1.4)).endswith("6 requests are waiting; try again in 2 s")


def test_refused_requests_are_advised_to_come_back_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = VirtualClock()
    monkeypatch.setattr("service.engine.thread.time", SimpleNamespace(perf_counter=clock))

    def script(tokens: SequenceOf[int]) -> int:
        clock.advance(4.0)
        return next_letter(tokens)

    with running(EngineConfig(n_slots=1, n_ctx_slot=512, max_queue=2), script) as harness:
        sinks = [QueueSink() for _ in range(4)]
        harness.thread.submit(0, request(max_tokens=1), sinks[0])
        sinks[0].until(Finished)
        held_s = clock()
        assert held_s >= 4
        harness.gate.clear()
        for task_id, sink in enumerate(sinks[1:], 1):
            harness.thread.submit(task_id, request(), sink)
        told = []
        for task_id in range(4, 6):
            with pytest.raises(QueueFull) as raised:
                harness.thread.submit(task_id, request(), QueueSink())
            told.append(raised.value.retry_after_s)
        assert told == [held_s, 2 * held_s]
        harness.gate.set()
        for sink in sinks[1:]:
            sink.until(Finished)


def _submit_two_more(harness: Harness) -> None:
    for task_id in range(3, 5):
        harness.thread.submit(task_id, request(), QueueSink())


def test_cancel_reaches_a_running_request() -> None:
    with running() as harness:
        cancelled, later = QueueSink(), QueueSink()
        harness.thread.submit(1, request(max_tokens=10_000), cancelled)
        cancelled.until(Accepted)
        harness.thread.cancel(1)
        harness.thread.submit(2, request(), later)
        later.until(Finished)
        snapshot = harness.thread.snapshot()
        assert snapshot.slots_processing == 0


def test_progress_tells_work_from_rest() -> None:
    with running() as harness:
        harness.gate.clear()
        sink = QueueSink()
        harness.thread.submit(1, request(max_tokens=4), sink)
        wait_until("there is work", lambda: harness.thread.progress().has_work)
        held = harness.thread.progress().n_turns
        harness.gate.set()
        sink.until(Finished)
        wait_until("the thread rests", lambda: not harness.thread.progress().has_work)
        # Four tokens take at least as many steps, one of which was counted before or after the look at it.
        assert harness.thread.progress().n_turns >= held + 3
    assert not harness.thread.progress().has_work


def test_loading_counts_as_work_and_its_reports_as_progress() -> None:
    seen: list[Progress] = []

    def load(on_progress: Callable[[float], None]) -> LanguageModel:
        seen.append(thread.progress())
        on_progress(0.5)
        seen.append(thread.progress())
        raise OSError("no such model")

    failed = threading.Event()
    thread = EngineThread(
        load,
        EngineConfig(),
        deliver=lambda deliveries: None,
        on_loaded=lambda model: None,
        on_progress=lambda progress: None,
        on_failed=lambda error: failed.set(),
    )
    assert not thread.progress().has_work
    thread.start()
    assert failed.wait(30)
    thread.stop()
    assert seen == [Progress(0, True), Progress(1, True)]
    assert not thread.progress().has_work


def test_stop_ends_running_requests_as_cancelled_and_refuses_new_ones() -> None:
    with running(EngineConfig(n_slots=1, n_ctx_slot=4096)) as harness:
        sink = QueueSink()
        harness.thread.submit(1, request(max_tokens=4000), sink)
        sink.until(Accepted)
        harness.thread.stop()
        finished = sink.until(Finished)
        assert isinstance(finished, Finished)
        assert finished.reason is FinishReason.CANCELLED
        with pytest.raises(Draining):
            harness.thread.submit(2, request(), QueueSink())


def test_a_failed_load_is_reported() -> None:
    failures: queue.Queue[BaseException] = queue.Queue()

    def load(on_progress: Callable[[float], None]) -> LanguageModel:
        raise OSError("no such model")

    thread = EngineThread(
        load,
        EngineConfig(),
        deliver=lambda deliveries: None,
        on_loaded=lambda model: None,
        on_progress=lambda progress: None,
        on_failed=failures.put,
    )
    thread.start()
    assert str(failures.get(timeout=30)) == "no such model"
    thread.stop()


def test_a_dying_engine_fails_its_requests_and_says_so() -> None:
    def broken(tokens: object) -> int:
        raise RuntimeError("script broke")

    with running(script=broken) as harness:
        sink = QueueSink()
        harness.thread.submit(1, request(), sink)
        failed = sink.until(Failed)
        assert isinstance(failed, Failed)
        assert failed.error.reason == "INTERNAL"
        assert str(harness.failures.get(timeout=30)) == "script broke"


class HangingCompute(ScriptedCompute):
    """Calls that may be ended go on until somebody ends them."""

    in_long_call: threading.Event

    def decode(self, segments: SequenceOf[Segment], n_filler: int = 0) -> None:
        assert self.interruption is not None
        if self.interruption.is_allowed and len(segments[0].tokens) > 1:
            self.in_long_call.set()
            wait_until("the end of the call", lambda: self.interruption is None or self.interruption.due_s is not None)
            raise Interrupted
        super().decode(segments, n_filler)


class HangingModel(ScriptedModel):
    """The scripted model with that computation."""

    compute_type = HangingCompute


@pytest.mark.parametrize("disturb", ["submit", "cancel", "stop"])
def test_who_comes_does_not_wait_for_the_end_of_a_long_step(disturb: str) -> None:
    model = HangingModel(n_seq_max=3, can_interrupt=True)
    compute = model.compute
    assert isinstance(compute, HangingCompute)
    in_call = compute.in_long_call = threading.Event()
    loaded = threading.Event()
    thread = EngineThread(
        lambda on_progress: model,
        EngineConfig(n_slots=2, n_ctx_slot=512),
        deliver=Harness.deliver,
        on_loaded=lambda model: loaded.set(),
        on_progress=lambda progress: None,
        on_failed=lambda error: None,
    )
    thread.start()
    assert loaded.wait(30)
    try:
        first, second = QueueSink(), QueueSink()
        thread.submit(1, request(), first)
        assert in_call.wait(30)
        if disturb == "submit":
            thread.submit(2, request(), second)
            second.until(Finished)
            first.until(Finished)
        elif disturb == "cancel":
            thread.cancel(1)
            wait_until("an idle engine", lambda: not thread.progress().has_work)
    finally:
        # In the last case only this ends the call.
        thread.stop()
    assert not thread.progress().has_work
