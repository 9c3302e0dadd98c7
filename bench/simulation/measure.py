"""Measures steps of the real model for a cost profile.

Every shape is measured once per round, so that a disturbance hits many shapes a little instead of one a lot, and the
median over the rounds counts. With one thread its own processor time is taken, which does not pass while others have
the core; several threads wait for each other, so that only a quiet machine will do.

    python -m bench.simulation.measure --threads 1 --output profile.json
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench.harness.errors import BenchError
from bench.harness.machine import ForeignLoad, conditions
from bench.harness.stats import median
from bench.settings import default_model, default_threads
from bench.simulation.fit import Fit, Shape, fit
from service.config import ModelConfig
from service.engine.language_model import Segment
from service.errors import ServiceError
from service.llama.llama_model import LlamaModel
from service.llama.loader import load
from service.sampling.sampler import Sampler
from service.sampling.settings import SamplingSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

#: Tokens of every sequence while steps are measured, level by level.
LEVELS = (8, 64, 192)
#: Tokens of the first sequences on one more level; the others stay as they are.
LONG, N_LONG = 1000, 4
DECODING = (1, 2, 4, 8, 16, 32)
#: The kernels like some sizes better than others, so steps of the size that a busy budget allows are looked at closely.
PREFILLS = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512)
#: Chunks of a long prompt.
CHUNKS = (8, 16, 32, 48, 64, 128, 256)
#: (prompt tokens, sequences that decode beside them).
MIXED = ((16, 1), (32, 4), (64, 8), (128, 8), (64, 16))
#: Filled sequences; the prompt that is measured has one more.
N_SEQUENCES = max(DECODING)
_PROMPT = N_SEQUENCES


def main(command_line: Sequence[str] | None = None) -> int:
    """Measure and write a profile."""
    parser = argparse.ArgumentParser(prog="python -m bench.simulation.measure", description="Measure what steps cost.")
    parser.add_argument("--model", type=Path, metavar="FILE", help="GGUF file (default: the default model)")
    parser.add_argument("--threads", "-t", type=int, metavar="N", help="threads of the library (default: all cores)")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="measurements of each step (default: 7)")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the profile, made or replaced")
    arguments = parser.parse_args(command_line)
    for option in ("threads", "rounds"):
        value = getattr(arguments, option)
        if value is not None and value < 1:
            parser.error(f"--{option}: {value} is less than 1")
    try:
        model = arguments.model or default_model()
        found = measure(model, arguments.threads or default_threads(), arguments.rounds)
    except (BenchError, ServiceError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    arguments.output.write_text(found.profile.to_json())
    for name, fact in found.profile.conditions.items():
        print(f"{name}: {fact}")
    return 0


def measure(model: Path, n_threads: int, rounds: int) -> Fit:
    """Measure a model; takes some minutes.

    Args:
        model: GGUF file.
        n_threads: threads of the library.
        rounds: measurements of every shape.
    """
    load_beside = ForeignLoad()
    with _loaded(model, n_threads) as loaded:
        stopwatch = _Stopwatch(loaded, time.thread_time if n_threads == 1 else time.perf_counter)
        measured: dict[Shape, float] = {}
        for length in LEVELS:
            stopwatch.fill(length, N_SEQUENCES)
            measured |= _medians(stopwatch, _shapes(length), rounds)
        stopwatch.fill(LONG, N_LONG)
        measured |= _medians(stopwatch, _long_shapes(), rounds)
        copies = [stopwatch.copy() for _ in range(rounds)]
    facts = conditions() | {
        "model": model.name,
        "threads": str(n_threads),
        "rounds": str(rounds),
        "cores kept busy by others": f"{load_beside.cores():.2f}",
    }
    result = fit(
        measured,
        copy_cell_s=median([seconds for seconds, _ in copies]),
        cell_bytes=copies[0][1],
        conditions=facts,
    )
    errors = {"error of the fit": f"median {result.median_error:.1%}, largest {result.max_error:.1%}"}
    return dataclasses.replace(result, profile=dataclasses.replace(result.profile, conditions=facts | errors))


def _medians(stopwatch: _Stopwatch, shapes: Sequence[Shape], rounds: int) -> dict[Shape, float]:
    for shape in shapes:
        # The first decode of a shape makes the library plan it.
        stopwatch.step_s(shape)
    samples: dict[Shape, list[float]] = {shape: [] for shape in shapes}
    for _ in range(rounds):
        for shape in shapes:
            samples[shape].append(stopwatch.step_s(shape))
    return {shape: median(seconds) for shape, seconds in samples.items()}


def _shapes(length: int) -> list[Shape]:
    """Decoding, new prompts, and both together, with all sequences of a length."""
    sizes = [*((0, n_decode) for n_decode in DECODING), *((n_prefill, 0) for n_prefill in PREFILLS), *MIXED]
    return [Shape(n_prefill, n_decode, 0, length, length * N_SEQUENCES) for n_prefill, n_decode in sizes]


def _long_shapes() -> list[Shape]:
    """The same with long sequences: what decodes, and prompts of which much has been evaluated."""
    n_cells = N_LONG * LONG + (N_SEQUENCES - N_LONG) * LEVELS[-1]
    sizes = [
        *((0, n_decode) for n_decode in (1, 2, N_LONG)),
        *((n_prefill, 0) for n_prefill in CHUNKS),
        (16, 2),
        (64, 2),
    ]
    return [Shape(n_prefill, n_decode, LONG, LONG, n_cells) for n_prefill, n_decode in sizes]


class _Stopwatch:
    """Times steps on sequences that all hold equally much, and leaves them as they were."""

    def __init__(self, model: LlamaModel, clock: Callable[[], float]) -> None:
        self._model = model
        self._clock = clock
        info = model.info
        self._sampler = Sampler(
            SamplingSettings(seed=1),
            n_vocab=info.n_vocab,
            nl_token=info.nl_token,
            eog_tokens=info.eog_tokens,
            n_ctx=info.n_cells,
            prompt=self._tokens(64),
        )

    def fill(self, length: int, n_sequences: int) -> None:
        """Let each of the first sequences hold ``length`` tokens."""
        for seq_id in range(n_sequences):
            while (start := self._model.memory.position_max(seq_id) + 1) < length:
                n_tokens = min(length - start, max(PREFILLS))
                self._model.compute.decode([Segment(seq_id, start, self._tokens(n_tokens), 0)])

    def step_s(self, shape: Shape) -> float:
        """Seconds of one step, sampling included."""
        segments = [Segment(seq_id, shape.n_context, self._tokens(1), 1) for seq_id in range(shape.n_decode)]
        if shape.n_prefill:
            # A chunk of a long prompt goes on where a filled sequence ends.
            seq_id = N_LONG - 1 if shape.n_before else _PROMPT
            segments.append(Segment(seq_id, shape.n_before, self._tokens(shape.n_prefill), 0))
        started_s = self._clock()
        self._model.compute.decode(segments)
        for index in range(shape.n_decode):
            self._sampler.sample(self._model.compute.logits(index))
        elapsed_s = self._clock() - started_s
        for segment in segments:
            self._model.memory.remove(segment.seq_id, segment.position, -1)
        return elapsed_s

    def copy(self) -> tuple[float, int]:
        """Seconds to copy a cell in one direction, and its bytes: a sequence goes out and back."""
        started_s = self._clock()
        saved = self._model.memory.save(0)
        self._model.memory.remove(0, 0, -1)
        self._model.memory.restore(0, saved)
        elapsed_s = self._clock() - started_s
        return elapsed_s / 2 / saved.n_cells, saved.n_bytes // saved.n_cells

    def _tokens(self, n_tokens: int) -> list[int]:
        """Any tokens: what they are does not change what they cost."""
        return [place % self._model.info.n_vocab for place in range(n_tokens)]


@contextmanager
def _loaded(model: Path, n_threads: int) -> Iterator[LlamaModel]:
    n_ctx = N_LONG * LONG + N_SEQUENCES * LEVELS[-1] + max(PREFILLS) + 2 * N_SEQUENCES
    config = ModelConfig(
        str(model), n_ctx=n_ctx, n_parallel=N_SEQUENCES, n_threads=n_threads, n_threads_batch=n_threads
    )
    with load(config) as loaded:
        assert isinstance(loaded, LlamaModel)
        yield loaded


if __name__ == "__main__":
    sys.exit(main())
