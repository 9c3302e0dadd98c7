"""What a decoding step costs beside the library's computation, on the engine's thread, behind real decodes.

A step's overhead is its processor time outside ``llama_decode``, so the caches are as a walk over the weights leaves
them. The library computes with one thread, the engine's own; what other processes do then only shows in the caches, and
ratios of two versions hold on a busy machine. Shares are measured in steps of their own, which the clocks slow down.
"""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from bench.harness.load import GREEDY, SAMPLING, Sampling
from bench.harness.report import Figure, Goal, Result
from bench.harness.stats import median
from bench.harness.texts import text_of
from service.config import CoreConfig, ModelConfig
from service.engine.engine import Engine
from service.engine.output import choice
from service.engine.output.outbox import Outbox
from service.engine.request.requests import GenerationRequest
from service.llama.context.context import Context
from service.llama.host.library import load_library
from service.llama.llama_model import LlamaModel
from service.llama.loader import load
from service.sampling.sampler import Sampler
from service.sampling.settings import SamplingSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.settings import Settings
    from service.engine.request.events import Event

_STREAMS = (1, 8, 32)
_N_CTX_SLOT = 128
_PROMPT_TOKENS = 16
#: Steps before the first one that counts: all prompts are evaluated, and buffers have their sizes.
_WARM_UP = 8
_STEPS = 40

_LIBRARY, _REST = "library", "everything else"
#: What is timed apart, by the stage that it belongs to.
_STAGES: dict[str, tuple[tuple[Any, str], ...]] = {
    "sampling": ((choice, "sample_rows"), (Sampler, "accept"), (Context, "all_logits")),
    "text": ((choice, "append_token"),),
    "events": ((Outbox, "put"), (Outbox, "take")),
}

#: Most milliseconds of one step, by number of streams, with the default samplers.
_GOALS_MS = {1: 0.06, 8: 0.30}


def run(settings: Settings) -> Result:
    """Measure each number of streams in ``settings.repeats`` runs; a sample is the median of the run's steps."""
    figures: list[Figure] = []
    config = CoreConfig(
        model=ModelConfig(
            str(settings.model),
            n_ctx=_N_CTX_SLOT * max(_STREAMS),
            n_parallel=max(_STREAMS),
            n_threads=1,
            n_threads_batch=1,
        )
    )
    stopwatch = _Stopwatch()
    # The context binds the function when it is made.
    with stopwatch.watching(load_library().api, "llama_decode", _LIBRARY), load(config.model) as model:
        assert isinstance(model, LlamaModel)
        runner = _Runner(Engine(model, config.engine, time.monotonic), model, stopwatch)
        for n_streams in _STREAMS:
            for label, sampling in (("", SAMPLING), (", greedy", GREEDY)):
                goal = _GOALS_MS.get(n_streams) if sampling is SAMPLING else None
                name = f"{n_streams} stream{'s' if n_streams > 1 else ''}{label}"
                figures += _figures(name, runner, n_streams, sampling, settings, goal)
    title = f"milliseconds per step outside llama_decode, {model.info.n_vocab} tokens in the vocabulary, 1 thread"
    return Result("overhead", title, tuple(figures))


def _figures(
    name: str, runner: _Runner, n_streams: int, sampling: Sampling, settings: Settings, goal: float | None
) -> list[Figure]:
    """Whole, lowest and by stage."""
    rounds = [runner.steps_ms(n_streams, sampling, _STEPS) for _ in range(settings.repeats)]
    limit = None if goal is None else Goal("at most", goal)
    figures = [
        Figure(name, "ms", tuple(median([sum(step.values()) for step in steps]) for steps in rounds), limit),
        Figure(f"{name}: lowest", "ms", tuple(min(sum(step.values()) for step in steps) for steps in rounds)),
    ]
    with ExitStack() as stack:
        for stage, places in _STAGES.items():
            for owner, attribute in places:
                stack.enter_context(runner.stopwatch.watching(owner, attribute, stage))
        rounds = [runner.steps_ms(n_streams, sampling, _STEPS) for _ in range(settings.repeats)]
    for stage in (*_STAGES, _REST):
        samples = tuple(median([step[stage] for step in steps]) for steps in rounds)
        figures.append(Figure(f"{name}: {stage}", "ms", samples))
    return figures


class _Stopwatch:
    """Adds up this thread's processor time by stage, in nanoseconds."""

    def __init__(self) -> None:
        self._ns: defaultdict[str, int] = defaultdict(int)

    @contextmanager
    def watching(self, owner: Any, attribute: str, stage: str) -> Iterator[None]:
        """Time all calls of a function or method; it must not lead to another one that is timed."""
        function = getattr(owner, attribute)
        clock, spent = time.thread_time_ns, self._ns

        def timed(*args: Any, **kwargs: Any) -> Any:
            started = clock()
            try:
                return function(*args, **kwargs)
            finally:
                spent[stage] += clock() - started

        setattr(owner, attribute, timed)
        try:
            yield
        finally:
            setattr(owner, attribute, function)

    def step_ms(self, step: Callable[[], object]) -> dict[str, float]:
        """Do a step: milliseconds by stage, without the library's."""
        self._ns.clear()
        started = time.thread_time_ns()
        step()
        elapsed = time.thread_time_ns() - started
        found = defaultdict(float, {stage: spent / 1e6 for stage, spent in self._ns.items() if stage != _LIBRARY})
        found[_REST] = (elapsed - sum(self._ns.values())) / 1e6
        return found


class _Nobody:
    """Takes events and forgets them."""

    def put(self, events: list[Event]) -> None:
        """Take events."""


class _Runner:
    """Generates with an engine, step by step."""

    def __init__(self, engine: Engine, model: LlamaModel, stopwatch: _Stopwatch) -> None:
        self._engine = engine
        self._model = model
        self._n_tasks = 0
        self.stopwatch = stopwatch

    def steps_ms(self, n_streams: int, sampling: Sampling, n_steps: int) -> list[dict[str, float]]:
        """The steps of ``n_streams`` streams that all decode."""
        first = self._n_tasks
        for _ in range(n_streams):
            self._engine.submit(self._n_tasks, self._request(sampling), _Nobody())
            self._n_tasks += 1
        for _ in range(_WARM_UP):
            self._engine.step()
        steps = [self.stopwatch.step_ms(self._engine.step) for _ in range(n_steps)]
        for task_id in range(first, self._n_tasks):
            self._engine.cancel(task_id)
        return steps

    def _request(self, sampling: Sampling) -> GenerationRequest:
        text = text_of(_PROMPT_TOKENS, self._n_tasks)
        return GenerationRequest(
            prompt=tuple(self._model.vocabulary.tokenize(text, parse_special=True)),
            sampling=SamplingSettings(**_fields(sampling), seed=self._n_tasks, ignore_eos=True),
            cache_prompt=False,
        )


def _fields(sampling: Sampling) -> dict[str, Any]:
    return {name: getattr(sampling, name) for name in Sampling.__slots__}
