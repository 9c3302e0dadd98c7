"""``python -m bench.compiled``: what decoding steps cost outside the library, interpreted and compiled by mypyc.

Copies the sources into a temporary directory twice and compiles one copy, which takes a minute of processor time. Then
a worker on each copy takes turns, so that whatever else the machine does concerns both.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bench.compiled.build import compile_copy, copy
from bench.harness.errors import BenchError
from bench.harness.stats import median, pair_ratios
from bench.settings import default_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_STEPS = 30


@dataclass(frozen=True, slots=True)
class _Case:
    """What is measured."""

    model: str
    streams: int
    sampling: str


@dataclass(slots=True)
class _Worker:
    """A worker and what its steps have cost in each round, in microseconds."""

    process: subprocess.Popen[str]
    rounds: list[list[float]] = field(default_factory=list)

    def read(self) -> str:
        """Its next line.

        Raises:
            BenchError: it has ended.
        """
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise BenchError("a worker ended early; what it said is above")
        return line

    def step(self) -> None:
        """Let it do a round."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{_STEPS}\n")
        self.process.stdin.flush()
        self.rounds.append([cost_ns / 1000 for cost_ns in json.loads(self.read())])

    @property
    def least(self) -> float:
        """The cheapest step of all rounds."""
        return min(map(min, self.rounds))

    @property
    def medians(self) -> list[float]:
        """The median of each round."""
        return [median(costs) for costs in self.rounds]


@contextlib.contextmanager
def _worker(folder: Path, case: _Case, n_steps: int) -> Iterator[_Worker]:
    command = [
        sys.executable,
        "-m",
        "bench.compiled.worker",
        case.model,
        str(case.streams),
        case.sampling,
        str(n_steps),
    ]
    environment = {**os.environ, "PYTHONPATH": f"{folder}:{folder / 'clients/python/src'}"}
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield _Worker(process)
    finally:
        process.kill()
        process.wait()


def _measure(folders: Sequence[Path], case: _Case, repeats: int) -> str:
    """A row of the table: cheapest step of both, ratio; median step of both, median of the rounds' ratios."""
    with contextlib.ExitStack() as stack:
        n_steps = repeats * _STEPS
        workers = [stack.enter_context(_worker(folder, case, n_steps)) for folder in folders]
        for worker in workers:
            worker.read()
        for _ in range(repeats):
            for worker in workers:
                worker.step()
        interpreted, compiled = workers
        ratios = pair_ratios(compiled.medians, interpreted.medians)
        name = Path(case.model).name
        return (
            f"{name:36} {case.streams:3} {case.sampling:9}"
            f"{interpreted.least:9.1f} {compiled.least:9.1f} {compiled.least / interpreted.least:6.2f}"
            f"{median(interpreted.medians):10.1f} {median(compiled.medians):9.1f} {median(ratios):6.2f}"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Compile, measure, print; returns the exit code, 1 if it could not."""
    parser = argparse.ArgumentParser(prog="python -m bench.compiled", description=__doc__.split("\n")[0])
    parser.add_argument("--model", type=Path, metavar="FILE", help="GGUF file (default: the default model)")
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 8, 32], metavar="N", help="default: 1 8 32")
    parser.add_argument("--repeats", type=int, default=7, metavar="N", help=f"rounds of {_STEPS} steps (default: 7)")
    options = parser.parse_args(arguments)
    try:
        real = str((options.model or default_model()).resolve())
        with tempfile.TemporaryDirectory(prefix="slotline-compiled-") as directory:
            folders = [Path(directory, name) for name in ("interpreted", "compiled")]
            copy(folders[0])
            print(f"compiled in {compile_copy(folders[1]):.0f} s of processor time", flush=True)
            print(f"{'us per step':50} {'least':>9} {'compiled':>9}  ratio {'median':>9} {'compiled':>9}  ratio")
            for model, sampling in (("scripted", "greedy"), ("scripted", "defaults"), (real, "defaults")):
                for n_streams in options.streams:
                    print(_measure(folders, _Case(model, n_streams, sampling), options.repeats), flush=True)
    except BenchError as error:
        print(f"bench.compiled: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
