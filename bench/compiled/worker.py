"""Steps of an engine in a process of its own: ``python -m bench.compiled.worker MODEL STREAMS SAMPLING STEPS``.

MODEL is a GGUF file, or ``scripted``; SAMPLING is ``greedy`` or ``defaults``; there will be STEPS steps at most.
Prints a line when all streams decode. Then answers each line of standard input by as many steps as it says, and a JSON
list of what each of them cost: the processor time of this thread in nanoseconds, without ``llama_decode``, or without
the scripted model's ``decode``.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from typing import TYPE_CHECKING, Any

import llama_cpp.llama_cpp as bindings

from service.config import CoreConfig, EngineConfig, ModelConfig
from service.engine.engine import Engine
from service.engine.request.events import Piece
from service.engine.request.requests import GenerationRequest
from service.llama.loader import load
from service.sampling.settings import SamplingSettings
from service.testing.scripted_model import ScriptedCompute, ScriptedModel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.engine.language_model import Segment
    from service.engine.request.events import Event

_PROMPT = "Once upon a time there was"
_SAMPLING = {
    "greedy": SamplingSettings(seed=1, temperature=0.0, repeat_penalty=1.0, ignore_eos=True),
    "defaults": SamplingSettings(seed=1, ignore_eos=True),
}


class _Stopwatch:
    """Processor time of this thread inside of what it has wrapped, in nanoseconds."""

    spent_ns = 0

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same, timed."""

        def timed(*arguments: Any) -> Any:
            started_ns = time.thread_time_ns()
            result = call(*arguments)
            self.spent_ns += time.thread_time_ns() - started_ns
            return result

        return timed


class _TimedCompute(ScriptedCompute):
    """Counts its own time out, and keeps no record of what it did."""

    watch = _Stopwatch()

    def decode(self, segments: Sequence[Segment], n_filler: int = 0) -> None:
        started_ns = time.thread_time_ns()
        super().decode(segments, n_filler)
        self.decoded.clear()
        self.watch.spent_ns += time.thread_time_ns() - started_ns


class _TimedModel(ScriptedModel):
    compute_type = _TimedCompute


class _Sink:
    """Notes whether its request has got a token."""

    has_begun = False

    def put(self, events: list[Event]) -> None:
        self.has_begun = self.has_begun or any(isinstance(event, Piece) for event in events)


def _scripted_engine(n_streams: int, n_ctx: int) -> tuple[Engine, tuple[int, ...], _Stopwatch]:
    model = _TimedModel(
        n_cells=n_streams * n_ctx,
        n_seq_max=n_streams + 4,
        n_logits=n_streams + 4,
        script=lambda tokens: ord("a"),
    )
    config = EngineConfig(n_slots=n_streams, n_ctx_slot=n_ctx)
    return Engine(model, config, time.perf_counter), tuple(_PROMPT.encode()), _TimedCompute.watch


def _real_engine(path: str, n_streams: int, n_ctx: int) -> tuple[Engine, tuple[int, ...], _Stopwatch]:
    watch = _Stopwatch()
    bindings.llama_decode = watch.around(bindings.llama_decode)
    config = ModelConfig(path, n_ctx=n_ctx * n_streams, n_parallel=n_streams, n_threads=1, n_threads_batch=1)
    model: Any = load(config, on_progress=lambda part: None)
    engine = Engine(model, CoreConfig(model=config).engine, time.perf_counter)
    return engine, tuple(model.vocabulary.tokenize(_PROMPT, parse_special=True)), watch


def main(arguments: Sequence[str]) -> None:
    """Start all streams, then step as standard input says, until it ends."""
    name, n_streams, sampling, n_steps = arguments[0], int(arguments[1]), _SAMPLING[arguments[2]], int(arguments[3])
    n_ctx = n_steps + n_streams + 64
    make = _scripted_engine(n_streams, n_ctx) if name == "scripted" else _real_engine(name, n_streams, n_ctx)
    engine, prompt, watch = make
    sinks = [_Sink() for _ in range(n_streams)]
    for number, sink in enumerate(sinks):
        engine.submit(number, GenerationRequest(prompt=prompt, sampling=sampling), sink)
    while not all(sink.has_begun for sink in sinks):
        for taker, events in engine.step():
            taker.put(events)
    print("ready", flush=True)
    for line in sys.stdin:
        gc.collect()
        print(json.dumps([_step(engine, watch) for _ in range(int(line))]), flush=True)


def _step(engine: Engine, watch: _Stopwatch) -> int:
    watch.spent_ns, started_ns = 0, time.thread_time_ns()
    engine.step()
    return time.thread_time_ns() - started_ns - watch.spent_ns


if __name__ == "__main__":
    main(sys.argv[1:])
