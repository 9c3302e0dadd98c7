"""Which compute threads are bound to which CPUs."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from service.config import ModelConfig
from service.llama.host.affinity import name_thread, spread_over_cpus
from service.llama.loader import load
from tests.support.tiny_gguf import write_tiny_gguf

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CPUS = sorted(os.sched_getaffinity(0))
needs_cpus = pytest.mark.skipif(len(CPUS) < 2, reason="this machine has a single CPU")


def in_thread(work: Callable[[], None]) -> None:
    """Run in a thread of its own, so that nothing stays bound, and raise what it raises."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


def spread_with(n_started: int, n_threads: int) -> tuple[bool, list[set[int]]]:
    """Start threads, spread, and tell whether that was done and which CPUs all of them may use then."""
    outcome: list[tuple[bool, list[set[int]]]] = []

    def work() -> None:
        name = name_thread()
        end = threading.Event()
        started = [threading.Thread(target=end.wait) for _ in range(n_started)]
        for thread in started:
            thread.start()
        try:
            is_done = spread_over_cpus(name, n_threads)
            threads = [threading.get_native_id(), *(thread.native_id for thread in started)]
            outcome.append((is_done, [os.sched_getaffinity(thread or 0) for thread in threads]))
        finally:
            end.set()
            for thread in started:
                thread.join()

    in_thread(work)
    return outcome[0]


@needs_cpus
def test_as_many_threads_as_cpus_have_one_each() -> None:
    is_done, masks = spread_with(len(CPUS) - 1, len(CPUS))
    assert is_done
    assert sorted(cpu for mask in masks for cpu in mask) == CPUS


@pytest.mark.parametrize(
    ("n_started", "n_threads"),
    [(0, 1), (len(CPUS), len(CPUS) + 1), (len(CPUS), len(CPUS)), (len(CPUS) - 1, len(CPUS) - 1)],
    ids=["one thread", "too many", "an unknown thread", "fewer wanted than found"],
)
def test_other_numbers_of_threads_are_left_to_the_kernel(n_started: int, n_threads: int) -> None:
    is_done, masks = spread_with(n_started, n_threads)
    assert not is_done
    assert masks == [set(CPUS)] * (n_started + 1)


@needs_cpus
@pytest.mark.parametrize(
    ("n_threads", "n_threads_batch", "is_bound"),
    [(len(CPUS), None, True), (len(CPUS), len(CPUS), True), (len(CPUS), len(CPUS) + 1, False), (1, None, False)],
)
def test_a_model_that_uses_all_cpus_is_loaded_into_bound_threads(
    tmp_path: Path, n_threads: int, n_threads_batch: int | None, is_bound: bool
) -> None:
    path = write_tiny_gguf(tmp_path / "model.gguf")

    def work() -> None:
        with load(ModelConfig(str(path), n_ctx=64, n_threads=n_threads, n_threads_batch=n_threads_batch)):
            assert (len(os.sched_getaffinity(0)) == 1) is is_bound

    in_thread(work)


def test_the_main_thread_is_not_bound(tmp_path: Path) -> None:
    path = write_tiny_gguf(tmp_path / "model.gguf")
    with load(ModelConfig(str(path), n_ctx=64, n_threads=len(CPUS))):
        assert sorted(os.sched_getaffinity(0)) == CPUS
