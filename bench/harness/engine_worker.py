"""The engine thread alone, without gRPC or event loop, in a process of its own: the client side of ``harness.engine``.

Started as ``python -m bench.harness.engine_worker MODEL N_CTX N_SLOTS THREADS``. Prints one line when the model is
loaded, then answers each line of standard input (a JSON list of jobs) with a line of JSON (a list of timings).
"""

from __future__ import annotations

import dataclasses
import json
import queue
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from bench.harness.load import Job, Sampling, StreamTiming
from service.config import CoreConfig, ModelConfig
from service.engine.request.events import Delivery, Event, Failed, Finished, Piece
from service.engine.request.requests import GenerationRequest
from service.engine.thread import EngineThread
from service.llama.llama_model import LlamaModel
from service.llama.loader import load
from service.sampling.settings import SamplingSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.engine.language_model import LanguageModel


class _Stopwatch:
    """Notes when a request's first output and its end passed by, and forgets everything else."""

    def __init__(self) -> None:
        self.sent = time.perf_counter()
        self.first_token = 0.0
        self.ended = 0.0
        self.n_tokens = 0
        self.is_done = threading.Event()

    def put(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Piece):
                self.first_token = self.first_token or time.perf_counter()
            elif isinstance(event, Finished):
                self.n_tokens = event.tokens_predicted
                self._end()
            elif isinstance(event, Failed):
                print(f"request failed: {event.error}", file=sys.stderr)
                self._end()

    def _end(self) -> None:
        self.ended = time.perf_counter()
        self.is_done.set()


class _Worker:
    def __init__(self, model: str, n_ctx: int, n_slots: int, threads: int) -> None:
        model_config = ModelConfig(model, n_ctx=n_ctx, n_parallel=n_slots, n_threads=threads, n_threads_batch=threads)
        config = CoreConfig(model=model_config)
        self._loaded: queue.SimpleQueue[LanguageModel | BaseException] = queue.SimpleQueue()
        self._next_task = 0
        # As the service does: other threads must not wait 5 ms for the interpreter.
        sys.setswitchinterval(0.0005)

        def load_model(on_progress: Callable[[float], None]) -> LanguageModel:
            return load(config.model, on_progress=on_progress)

        self._engine = EngineThread(
            load_model,
            config.engine,
            deliver=_deliver,
            on_loaded=self._loaded.put,
            on_progress=lambda fraction: None,
            on_failed=self._loaded.put,
        )

    def start(self) -> None:
        self._engine.start()
        outcome = self._loaded.get()
        if isinstance(outcome, BaseException):
            raise outcome
        assert isinstance(outcome, LlamaModel)
        self._model = outcome

    def serve(self, jobs: Sequence[Job]) -> list[StreamTiming]:
        """Run the jobs together to their end."""
        requests = [self._request(job) for job in jobs]
        stopwatches = []
        for request in requests:
            stopwatch = _Stopwatch()
            self._next_task += 1
            self._engine.submit(self._next_task, request, stopwatch)
            stopwatches.append(stopwatch)
        for stopwatch in stopwatches:
            stopwatch.is_done.wait()
        return [StreamTiming(watch.sent, watch.first_token, watch.ended, watch.n_tokens) for watch in stopwatches]

    def stop(self) -> None:
        self._engine.stop()

    def _request(self, job: Job) -> GenerationRequest:
        return GenerationRequest(
            prompt=tuple(self._model.vocabulary.tokenize(job.prompt, parse_special=True)),
            sampling=SamplingSettings(**dataclasses.asdict(job.sampling), seed=job.seed, ignore_eos=True),
            max_tokens=job.n_tokens,
            cache_prompt=job.cache_prompt,
            slot_id=job.slot_id,
        )


def _job(fields: dict[str, Any]) -> Job:
    return Job(**{**fields, "sampling": Sampling(**fields["sampling"])})


def _deliver(deliveries: list[Delivery]) -> None:
    for sink, events in deliveries:
        sink.put(events)


def main(arguments: Sequence[str]) -> None:
    """Load, then serve standard input until it ends."""
    model, *numbers = arguments
    n_ctx, n_slots, threads = map(int, numbers)
    worker = _Worker(model, n_ctx, n_slots, threads)
    worker.start()
    print("ready", flush=True)
    for line in sys.stdin:
        timings = worker.serve([_job(fields) for fields in json.loads(line)])
        print(json.dumps([dataclasses.asdict(timing) for timing in timings]), flush=True)
    worker.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
