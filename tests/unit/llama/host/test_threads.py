"""Physical cores are counted by the siblings that sysfs lists."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from service.llama.host.threads import physical_cores

if TYPE_CHECKING:
    from pathlib import Path


def write_siblings(cpus: Path, siblings: list[str]) -> None:
    """A sysfs with one CPU for each mask."""
    for cpu, mask in enumerate(siblings):
        topology = cpus / f"cpu{cpu}" / "topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings").write_text(mask + "\n")


@pytest.mark.parametrize(
    ("siblings", "usable", "cores"),
    [
        pytest.param(["11", "22", "44", "88", "11", "22", "44", "88"], 8, 4, id="two threads on each core"),
        pytest.param(["1", "2"], 2, 2, id="one thread on each core"),
        pytest.param(["11", "22", "44", "88", "11", "22", "44", "88"], 2, 2, id="some CPUs may not be used"),
        pytest.param([], 4, 4, id="sysfs is silent, few CPUs"),
        pytest.param([], 12, 6, id="sysfs is silent, many CPUs"),
        pytest.param([], 1, 1, id="a single CPU"),
    ],
)
def test_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, siblings: list[str], usable: int, cores: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(usable)))
    write_siblings(tmp_path, siblings)
    assert physical_cores(tmp_path) == cores


def test_this_machine_has_cores() -> None:
    assert 1 <= physical_cores() <= (os.cpu_count() or 1)
