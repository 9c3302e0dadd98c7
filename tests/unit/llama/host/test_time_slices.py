"""Time slices of threads."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from service.llama.host.time_slices import SHORT_S, set_time_slice

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="slices of single threads are Linux's")


def _slice_s() -> float | None:
    """The calling thread's slice according to /proc, None if this kernel does not tell."""
    path = Path(f"/proc/self/task/{threading.get_native_id()}/sched")
    if not path.exists():
        return None
    fields = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
    value = next((value for name, value in fields.items() if name.strip() == "se.slice"), None)
    return None if value is None else float(value) / 1e9


def _kernel_has_slices() -> bool:
    release = os.uname().release.split("-")[0].split(".")
    return (int(release[0]), int(release[1])) >= (6, 12)


def test_a_slice_is_set_inherited_and_given_back() -> None:
    def inside() -> tuple[bool, float | None, float | None, bool, float | None]:
        before = _slice_s()
        was_set = set_time_slice(SHORT_S)
        inherited: list[float | None] = []
        child = threading.Thread(target=lambda: inherited.append(_slice_s()))
        child.start()
        child.join()
        was_reset = set_time_slice(None)
        return was_set, before, inherited[0], was_reset, _slice_s()

    with ThreadPoolExecutor(1) as pool:
        was_set, before, inherited, was_reset, after = pool.submit(inside).result()

    assert was_set is was_reset is _kernel_has_slices()
    if was_set and before is not None:
        assert inherited == SHORT_S
        assert after == before


def test_nothing_is_done_on_an_unknown_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "pdp11")

    assert not set_time_slice(SHORT_S)


def test_the_priority_stays() -> None:
    def inside() -> tuple[int, int]:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 3)
        before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        set_time_slice(SHORT_S)
        return before, os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(inside).result() == (3, 3)
