"""Keeps compute threads apart: one on each CPU, if there are as many as CPUs.

After every operation of the model the threads wait for each other, spinning. When another process wakes up, the kernel
may put two of them on the same CPU, where each spins through its time slice while the other could work. Measured with
two threads on two CPUs beside a client that only polls /health: a step of 80 ms then takes 3 s, for as long as the
client polls; with the threads kept apart it takes 120 ms.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from service.llama.host.logs import logger

_TASKS = Path("/proc/self/task")


def name_thread() -> str:
    """Name the calling thread for the kernel, so that threads it starts from now on can be found; the name."""
    thread_id = threading.get_native_id()
    name = f"compute-{thread_id}"
    (_TASKS / str(thread_id) / "comm").write_text(name)
    return name


def spread_over_cpus(name: str, n_threads: int) -> bool:
    """Bind the calling thread and those that it has started to one CPU each. Whether that was done.

    Nothing is done unless there are as many CPUs as threads: with more CPUs the kernel can move threads apart, and with
    fewer nobody can. Whatever the calling thread starts later would inherit its CPU, so it must start nothing.

    Args:
        name: what ``name_thread`` gave before the threads were started.
        n_threads: threads that compute, the calling one included.
    """
    cpus = sorted(os.sched_getaffinity(0))
    own = threading.get_native_id()
    others = sorted(int(task.name) for task in _TASKS.iterdir() if int(task.name) != own and _name_of(task) == name)
    if len(cpus) < 2 or not len(cpus) == n_threads == 1 + len(others):
        return False
    for thread, cpu in zip((own, *others), cpus, strict=True):
        os.sched_setaffinity(thread, {cpu})
    logger.info("compute threads have a CPU each", extra={"cpus": cpus})
    return True


def _name_of(task: Path) -> str:
    try:
        return (task / "comm").read_text().rstrip("\n")
    except OSError:
        # The thread has ended meanwhile.
        return ""
