"""Alternating measurement."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

import pytest

from bench.harness import rounds
from bench.harness.rounds import Measure, alternate, describe

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Machine:
    """Stands in for ``ForeignLoad``: each measurement, not the waiting before it, sees the next load of a script."""

    def __init__(self, loads: Iterator[float]) -> None:
        self._loads = loads
        self.is_measuring = False

    def __call__(self) -> _Machine:
        return self

    def cores(self) -> float:
        if not self.is_measuring:
            return 0.0
        self.is_measuring = False
        return next(self._loads)


def _variants(machine: _Machine, calls: list[str]) -> dict[str, Measure]:
    def variant(name: str) -> Measure:
        async def measure() -> float:
            machine.is_measuring = True
            calls.append(name)
            return float(len(calls))

        return measure

    return {name: variant(name) for name in ("a", "b", "c")}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "_QUIET_WINDOW_S", 0.0)


async def _run(
    monkeypatch: pytest.MonkeyPatch, loads: list[float], repeats: int
) -> tuple[rounds.Rounds[float], list[str]]:
    machine = _Machine(iter(loads))
    monkeypatch.setattr(rounds, "ForeignLoad", machine)
    calls: list[str] = []
    result = await alternate(_variants(machine, calls), repeats=repeats, max_foreign_cores=0.2)
    return result, calls


async def test_every_round_starts_with_another_variant(monkeypatch: pytest.MonkeyPatch) -> None:
    result, calls = await _run(monkeypatch, [0.0] * 9, repeats=3)
    assert "".join(calls) == "abcbcacab"
    assert result.samples == {"a": (1.0, 6.0, 8.0), "b": (2.0, 4.0, 9.0), "c": (3.0, 5.0, 7.0)}
    assert describe(result, "x") == ()


async def test_a_disturbed_round_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    result, calls = await _run(monkeypatch, [0.0, 0.9, 0.0] + [0.0] * 6, repeats=2)
    assert len(calls) == 9
    assert all(len(samples) == 2 and min(samples) > 3 for samples in result.samples.values())
    assert describe(result, "x") == ("x: 1 rounds were measured again because other processes were busy",)


async def test_without_quiet_the_least_disturbed_rounds_are_kept_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    loads = [load for load in (0.9, 0.4, 0.8) for _ in "abc"]
    result, calls = await _run(monkeypatch, loads, repeats=1)
    assert len(calls) == 9
    assert result.samples == {"b": (4.0,), "c": (5.0,), "a": (6.0,)}
    assert "disturbed" in describe(result, "x")[0]


async def _fail() -> float:
    raise ConnectionResetError("gone")


async def _hang() -> float:
    await asyncio.Event().wait()
    return 0.0


@pytest.mark.parametrize(("broken", "message"), [(_fail, "gone"), (_hang, "took longer than 0.01 s")])
async def test_a_variant_that_fails_or_hangs_is_told_of_once_and_left_out(
    broken: Measure, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "_LONGEST_SAMPLE_S", 0.01)
    calls: list[str] = []
    variants = {**_variants(_Machine(iter(())), calls), "b": broken}
    told: list[tuple[str, str]] = []
    result = await alternate(
        variants,
        repeats=3,
        max_foreign_cores=math.inf,
        on_failure=lambda name, error: told.append((name, str(error))),
    )
    assert {name: len(samples) for name, samples in result.samples.items()} == {"a": 3, "c": 3}
    (name, text), *more = told
    assert (name, more) == ("b", [])
    assert message in text


async def test_without_a_place_for_failures_the_first_one_is_raised() -> None:
    with pytest.raises(ConnectionResetError):
        await alternate({"a": _fail}, repeats=3, max_foreign_cores=math.inf)


async def test_a_round_in_which_all_fail_is_the_last_one() -> None:
    told: list[str] = []
    result = await alternate(
        {"a": _fail, "b": _fail},
        repeats=3,
        max_foreign_cores=math.inf,
        on_failure=lambda name, error: told.append(name),
    )
    assert (result.samples, told) == ({}, ["a", "b"])
