"""What the machine does, read from /proc (so Linux only): memory and processor time, ours and everybody else's."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of some processes together, in bytes.

    Attributes:
        rss: resident pages; pages that processes share count once for each.
        pss: resident pages; a page that n processes share counts as one n-th.
    """

    rss: int
    pss: int


def process_tree(pid: int) -> list[int]:
    """A process and its living descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (stat := _stat_fields(int(entry.name))) is not None:
            children.setdefault(int(stat[1]), []).append(int(entry.name))
    tree = [pid]
    for member in tree:
        tree += children.get(member, [])
    return tree


def memory_of(pids: list[int]) -> Memory:
    """Memory of the processes now.

    Raises:
        OSError: one of them is gone or belongs to another user.
    """
    rss = pss = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                rss += int(line.split()[1]) * 1024
            elif line.startswith("Pss:"):
                pss += int(line.split()[1]) * 1024
    return Memory(rss=rss, pss=pss)


def cpu_time_s(pids: list[int]) -> float:
    """Processor time that the processes, and those of their children that ended, have used since they started."""
    ticks = 0
    for pid in pids:
        # utime, stime, and the same of children that were waited for; a process that has just gone counts nothing.
        if (stat := _stat_fields(pid)) is not None:
            ticks += sum(map(int, stat[11:15]))
    return ticks / _TICKS_PER_S


class ForeignLoad:
    """Processor time used by processes other than this one and its descendants, since it was made."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._foreign_before_s = _foreign_cpu_s()

    def cores(self) -> float:
        """Mean number of cores that others kept busy; time stolen by the hypervisor counts as theirs."""
        elapsed = time.perf_counter() - self._started
        # Both clocks tick in hundredths of a second, so a short quiet span can come out slightly negative.
        return max(0.0, (_foreign_cpu_s() - self._foreign_before_s) / elapsed)


def conditions() -> dict[str, str]:
    """Facts about the machine that a report should carry."""
    model = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    memory_kb = next(int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal"))
    return {
        "processor": f"{model}, {len(os.sched_getaffinity(0))} logical cores",
        "memory": f"{memory_kb / 2**20:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load average": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def _foreign_cpu_s() -> float:
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, _lines("/proc/stat")[0].split()[1:9])
    return (user + nice + system + irq + softirq + steal) / _TICKS_PER_S - cpu_time_s(process_tree(os.getpid()))


def _stat_fields(pid: int) -> list[str] | None:
    """Fields of /proc/pid/stat from the state on, None if the process is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name before it may hold blanks and parentheses.
    return text.rsplit(")", 1)[1].split()


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
