"""How many threads compute by default."""

from __future__ import annotations

import os
from pathlib import Path

_CPUS = Path("/sys/devices/system/cpu")
#: Up to this many hardware threads all of them are used if the kernel does not tell which share a core.
_FEW_THREADS = 4


def physical_cores(cpus: Path = _CPUS) -> int:
    """Number of physical cores that this process may use; at least 1.

    Hardware threads of one core list the same siblings in sysfs. Where sysfs is silent, half of the hardware threads
    are taken for cores, or all of them if they are few.
    """
    usable = _usable_cpus()
    siblings = {path.read_text() for cpu in usable if (path := cpus / f"cpu{cpu}/topology/thread_siblings").is_file()}
    if siblings:
        return len(siblings)
    return len(usable) if len(usable) <= _FEW_THREADS else len(usable) // 2


def _usable_cpus() -> set[int]:
    # Fewer than the machine has inside a container or under taskset: a thread too many halves the speed of all,
    # because they wait for each other after every operation.
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))
