"""Alternating measurement: every variant once per round, so that whatever slows the machine down hits all of them."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from bench.harness.errors import BenchError
from bench.harness.machine import ForeignLoad

_QUIET_WINDOW_S = 0.3

#: Longest waiting for a quiet machine in one call of ``alternate``.
_PATIENCE_S = 300.0

#: Rounds that may be measured again, as a multiple of the rounds asked for.
_RETRY_FACTOR = 2

#: Longest time that one sample may take: a server that hangs must not stop the run.
_LONGEST_SAMPLE_S = 300.0

Sample = TypeVar("Sample")

#: Measures one number.
Measure = Callable[[], Awaitable[float]]


@dataclass(frozen=True, slots=True)
class Rounds(Generic[Sample]):
    """What alternating measurement gave.

    Attributes:
        samples: one sample per round for each variant; samples of the same index belong to the same round.
        n_repeated: rounds that were measured again because others disturbed them.
        is_disturbed: whether some disturbed rounds had to be kept.
    """

    samples: Mapping[str, tuple[Sample, ...]]
    n_repeated: int
    is_disturbed: bool


#: Told the name of a variant that failed, and the error.
OnFailure = Callable[[str, Exception], None]


async def alternate(
    variants: Mapping[str, Callable[[], Awaitable[Sample]]],
    *,
    repeats: int,
    max_foreign_cores: float,
    on_failure: OnFailure | None = None,
) -> Rounds[Sample]:
    """Measure every variant once per round, each round starting with another variant.

    A round during which other processes kept more than ``max_foreign_cores`` cores busy is measured again, up to
    twice as often as rounds were asked for; after that, disturbed rounds are kept, the least disturbed ones first.

    Args:
        on_failure: called when a variant fails, which is then left out of the samples; without it, the error is raised.

    Raises:
        BenchError, OSError, EOFError: a variant failed, and there is no ``on_failure``.
    """
    names = list(variants)
    clean: list[dict[str, Sample]] = []
    disturbed: list[tuple[float, dict[str, Sample]]] = []
    patience_s = _PATIENCE_S
    while names and len(clean) < repeats and len(clean) + len(disturbed) < repeats * (1 + _RETRY_FACTOR):
        start = (len(clean) + len(disturbed)) % len(names)
        values: dict[str, Sample] = {}
        worst = 0.0
        for name in names[start:] + names[:start]:
            patience_s -= await _wait_for_quiet(max_foreign_cores, patience_s)
            load = ForeignLoad()
            try:
                values[name] = await _within_time(variants[name]())
            except (BenchError, OSError, EOFError) as error:
                if on_failure is None:
                    raise
                names.remove(name)
                on_failure(name, error)
            worst = max(worst, load.cores())
        if worst <= max_foreign_cores:
            clean.append(values)
        else:
            disturbed.append((worst, values))
    disturbed.sort(key=lambda entry: entry[0])
    kept = clean + [values for _, values in disturbed[: repeats - len(clean)]]
    return Rounds(
        samples={name: tuple(values[name] for values in kept) for name in names},
        n_repeated=len(disturbed),
        is_disturbed=len(clean) < repeats,
    )


def describe(rounds: Rounds[Sample], what: str) -> tuple[str, ...]:
    """A note for the report if others disturbed the measurement."""
    if rounds.is_disturbed:
        return (f"{what}: other processes disturbed the measurement, some samples are too pessimistic",)
    if rounds.n_repeated:
        return (f"{what}: {rounds.n_repeated} rounds were measured again because other processes were busy",)
    return ()


async def _within_time(measured: Awaitable[Sample]) -> Sample:
    try:
        async with asyncio.timeout(_LONGEST_SAMPLE_S):
            return await measured
    except TimeoutError as error:
        raise BenchError(f"one sample took longer than {_LONGEST_SAMPLE_S:g} s") from error


async def _wait_for_quiet(max_foreign_cores: float, patience_s: float) -> float:
    """Wait until others leave the machine alone, or patience ends; returns for how many seconds they did not."""
    if math.isinf(max_foreign_cores):
        return 0.0
    started = time.perf_counter()
    while (waited_s := time.perf_counter() - started) < patience_s:
        load = ForeignLoad()
        await asyncio.sleep(_QUIET_WINDOW_S)
        if load.cores() <= max_foreign_cores:
            break
    return waited_s
