from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Literal

import pytest

from bench.harness.errors import BenchError
from bench.harness.tracing.recorder import Mark, Point, Recorder, read_marks
from tests.unit.bench.tracing.example import Counter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MODULE = "tests.unit.bench.tracing.example"


@pytest.fixture(autouse=True)
def _unwrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the functions back that a test has wrapped."""
    for name in ("add", "count", "wait"):
        monkeypatch.setattr(Counter, name, getattr(Counter, name))


def marks_of(recorder: Recorder, directory: Path) -> dict[str, list[Mark]]:
    recorder.write(directory / "marks.json")
    return read_marks([directory / "marks.json"])


def test_calls_and_returns_are_marked_in_their_order(tmp_path: Path) -> None:
    recorder = Recorder()
    recorder.wrap(Point("begun", MODULE, "Counter.add"))
    recorder.wrap(Point("done", MODULE, "Counter.add", "return"))
    assert [Counter().add(1), Counter().add(2)] == [2, 3]
    marks = marks_of(recorder, tmp_path)
    moments = [mark.ns for pair in zip(marks["begun"], marks["done"], strict=True) for mark in pair]
    assert len(moments) == 4
    assert moments == sorted(moments)


def test_every_item_of_a_generator_is_marked(tmp_path: Path) -> None:
    recorder = Recorder()
    recorder.wrap(Point("counted", MODULE, "Counter.count", "item"))
    assert list(Counter().count(3)) == [0, 1, 2]
    assert len(marks_of(recorder, tmp_path)["counted"]) == 3


@pytest.mark.parametrize(
    ("name", "when", "use"),
    [
        ("Counter.add", "call", lambda: [Counter().add(n) for n in range(4)]),
        ("Counter.add", "return", lambda: [Counter().add(n) for n in range(4)]),
        ("Counter.count", "item", lambda: list(Counter().count(4))),
    ],
)
def test_only_what_is_asked_for_is_marked(
    name: str, when: Literal["call", "return", "item"], use: Callable[[], Any], tmp_path: Path
) -> None:
    recorder = Recorder()
    recorder.wrap(Point("odd", MODULE, name, when, only=lambda value: value % 2 == 1))
    use()
    assert len(marks_of(recorder, tmp_path)["odd"]) == 2


def test_marks_tell_threads_apart_and_count_their_processor_time(tmp_path: Path) -> None:
    recorder = Recorder()
    recorder.wrap(Point("begun", MODULE, "Counter.add"))
    Counter().add(1)
    thread = threading.Thread(target=Counter().add, args=(1,))
    thread.start()
    Counter().add(sum(range(100_000)))
    thread.join()
    marks = marks_of(recorder, tmp_path)["begun"]
    own = [mark for mark in marks if mark.thread == threading.get_native_id()]
    assert (len(marks), len(own)) == (3, 2)
    assert 0 < own[0].cpu_ns < own[1].cpu_ns
    assert 0 <= own[0].ready_ns <= own[1].ready_ns


@pytest.mark.parametrize(
    ("module", "name"), [(MODULE, "Counter.subtract"), (MODULE, "Clock.add"), ("tests.unit.bench.none", "add")]
)
def test_a_function_that_is_not_there_is_named(module: str, name: str) -> None:
    with pytest.raises(BenchError, match=f"{module}: {name} cannot be traced: .*points.py"):
        Recorder().wrap(Point("begun", module, name))


@pytest.mark.parametrize("name", ["Counter.count", "Counter.wait"])
def test_a_return_that_is_not_the_end_cannot_be_marked(name: str) -> None:
    with pytest.raises(BenchError, match=f"{name} returns before it is done"):
        Recorder().wrap(Point("done", MODULE, name, "return"))


def test_what_is_compiled_is_named() -> None:
    with pytest.raises(BenchError, match=r"array: array.append is compiled and cannot be traced"):
        Recorder().wrap(Point("begun", "array", "array.append"))


def test_marks_that_were_never_written_are_missed(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="the traced core ended without its marks"):
        read_marks([tmp_path / "core.json"])
