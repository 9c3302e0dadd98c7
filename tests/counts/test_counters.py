"""The counters see what they are there for, and tables tell when it changes."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from service.llama.host.library import load_library
from service.testing.scripted_model import VirtualClock
from tests.counts.arrays import counted_arrays
from tests.counts.calls import CallCounter, ThreadCalls
from tests.counts.hand_overs import LOOP, POOL, PROJECT, THREAD, HandOvers
from tests.counts.library_calls import counted_library
from tests.counts.table import ROOM, Figure, FigureTable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TABLE = """\
# What is counted.

per step      1   8
calls, plain  10  20
copies        -   2
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A table."""
    path = tmp_path / "table.txt"
    path.write_text(TABLE)
    return path


@pytest.mark.parametrize(
    ("figure", "problem"),
    [
        (Figure(10), None),
        (Figure(10.1), "more than"),
        (Figure(9), None),
        (Figure(8.4), "far less"),
        (Figure(10.5, ROOM), None),
        (Figure(10.6, ROOM), "more than"),
        (Figure(5, below=0.5), None),
    ],
)
def test_a_figure_may_be_what_is_written_and_little_less(path: Path, figure: Figure, problem: str | None) -> None:
    problems = FigureTable(path).problems("1", {"calls, plain": figure})
    assert (problem is None) == (not problems)
    assert problem is None or problem in problems[0]


def test_figures_that_are_new_or_gone_are_problems(path: Path) -> None:
    problems = FigureTable(path).problems("1", {"copies": Figure(0)})
    assert problems == ["calls, plain: is written, but was not counted", "copies: 0, not written yet"]


def test_a_rewritten_table_has_what_was_counted_and_its_comments(path: Path) -> None:
    FigureTable(path).rewrite("8", {"locks": Figure(1), "calls, plain": Figure(30.125)})
    assert path.read_text() == (
        "# What is counted.\n\nper step       1      8\nlocks          -      1\ncalls, plain  10  30.12\n"
    )


def test_every_array_of_the_size_is_counted_also_one_that_is_gone_at_once() -> None:
    row = np.zeros(1000, np.float32)
    with counted_arrays(min_bytes=4000) as arrays:
        np.exp(row * 2).max()
        row[:500].copy()
    assert (arrays.n_arrays, arrays.n_bytes) == (2, 8000)
    row.copy()
    assert arrays.n_arrays == 2


def test_a_call_more_is_counted() -> None:
    # Functions of tests are not counted: what belongs to the project is called here.
    clock = VirtualClock()
    calls = CallCounter()
    calls.run(lambda: (clock(), len("abc")), times=3)
    assert (calls.n_python, calls.n_c) == (3, 3)


def test_calls_of_a_model_are_counted_by_name_and_not_looked_into() -> None:
    clock = VirtualClock()
    calls = CallCounter(model="service/testing")
    calls.run(lambda: clock.advance(1), times=2)
    assert (calls.n_python, calls.of_model) == (0, {"VirtualClock.advance": 2})


def test_calls_of_all_new_threads_are_counted_if_they_are_in_the_folder() -> None:
    clock = VirtualClock()
    with ThreadCalls("service/testing") as calls:
        in_thread(lambda: (clock(), len(str(clock.now_s))))
        clock()
    in_thread(clock)
    assert calls.total == 1


def test_hand_overs_between_threads_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    hand_overs = HandOvers(monkeypatch)
    loop = asyncio.new_event_loop()
    with ThreadPoolExecutor(1) as pool:

        def hand_over() -> None:
            pool.submit(int).result()
            loop.call_soon_threadsafe(int)

        in_thread(hand_over)
        assert hand_overs.take() == {POOL: 1, LOOP: 1}
        hand_over()
        assert hand_overs.take() == {}, "what the test itself does is not counted"
    loop.close()


def test_a_thread_is_woken_up_by_the_project_only(monkeypatch: pytest.MonkeyPatch) -> None:
    hand_overs = HandOvers(monkeypatch)
    event = threading.Event()
    in_thread(event.set)
    assert hand_overs.take() == {}
    code = compile("event.set()", f"{PROJECT[0]}/anything.py", "exec")
    in_thread(lambda: exec(code, {"event": event}))
    assert hand_overs.take() == {THREAD: 1}


def test_calls_of_the_library_are_counted_while_it_is() -> None:
    library = load_library()
    with counted_library() as count:
        library.api.llama_max_devices()
        counted = library.api
    library.api.llama_max_devices()
    assert count == {"max_devices": 1}
    counted.llama_max_devices()
    assert count == {"max_devices": 2}


def in_thread(action: Callable[[], object]) -> None:
    """Run to its end in a thread of its own."""
    thread = threading.Thread(target=action)
    thread.start()
    thread.join()
