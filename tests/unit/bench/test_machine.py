"""What the machine does, against processes whose behaviour is known."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench.harness.machine import cpu_time_s, memory_of, process_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

_PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "print('up', flush=True); input()"], stdout=subprocess.PIPE,
                         stdin=subprocess.PIPE)
child.stdout.readline()
block = b"x" * 64_000_000
print(child.pid, flush=True)
input()
child.communicate(b"\\n")
"""


@contextmanager
def _family() -> Iterator[tuple[int, int]]:
    """A process that holds 64 MB, and its child."""
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        yield parent.pid, int(parent.stdout.readline())
        parent.communicate("\n")


def test_a_tree_holds_the_process_and_its_descendants() -> None:
    with _family() as (parent, child):
        assert process_tree(parent) == [parent, child]
        assert {parent, child} <= set(process_tree(os.getpid()))


def test_memory_of_a_tree_counts_every_member() -> None:
    with _family() as (parent, child):
        both, alone = memory_of([parent, child]), memory_of([child])
        assert both.rss > alone.rss + 64_000_000
        assert 64_000_000 < both.pss <= both.rss


def test_processor_time_of_children_that_ended_is_counted() -> None:
    before = cpu_time_s(process_tree(os.getpid()))
    spin = "import time\nwhile time.process_time() < 0.5: pass"
    subprocess.run([sys.executable, "-c", spin], check=True)
    assert cpu_time_s(process_tree(os.getpid())) - before >= 0.49


def test_processes_that_are_gone_count_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    assert cpu_time_s([gone.pid]) == 0
