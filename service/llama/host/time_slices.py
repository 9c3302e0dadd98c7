"""How long a thread may compute before the kernel lets another one of equal weight go on.

A thread that asks for a short slice is given a CPU sooner when it wakes up: the kernel then takes it from a thread with
a longer one. Threads that pass a token on compute for a fraction of a millisecond; those that compute for the model
would let them wait for milliseconds, on every one of the ways between threads and processes that a token takes.

Linux 6.12 and newer: ``sched_runtime`` of ``sched_setattr`` for threads of the normal policy
(https://docs.kernel.org/scheduler/sched-eevdf.html). Needs no privilege. Elsewhere nothing is changed.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct

#: Slice of threads that pass things on: the shortest that the kernel gives.
SHORT_S = 0.0001

#: ``struct sched_attr``: size, policy, flags, nice, priority, runtime, deadline, period.
_ATTRIBUTES = struct.Struct("=IIQiIQQQ")
#: Numbers of the system calls by machine: (sched_setattr, sched_getattr). The C library had no functions for them
#: before glibc 2.41.
_SYSTEM_CALLS = {"x86_64": (314, 315), "aarch64": (274, 275), "riscv64": (274, 275)}
_NORMAL_POLICY = 0


def set_time_slice(seconds: float | None) -> bool:
    """Set the calling thread's slice, which threads that it starts from now on have, too; None for the kernel's own.

    Returns whether that was done.

    Nothing is done where the kernel knows no slices of single threads, or if the thread has another policy than the
    normal one. Its priority ("nice") stays.
    """
    calls = _SYSTEM_CALLS.get(platform.machine()) if os.name == "posix" and platform.system() == "Linux" else None
    if calls is None:
        return False
    set_call, get_call = calls
    libc = ctypes.CDLL(None)
    buffer = ctypes.create_string_buffer(_ATTRIBUTES.size)
    if libc.syscall(get_call, 0, buffer, _ATTRIBUTES.size, 0) != 0:
        return False
    _, policy, flags, nice, priority, runtime_ns, deadline_ns, period_ns = _ATTRIBUTES.unpack(buffer.raw)
    # Kernels without slices of single threads tell no runtime for the normal policy.
    if policy != _NORMAL_POLICY or not runtime_ns:
        return False
    wanted = _ATTRIBUTES.pack(
        _ATTRIBUTES.size, policy, flags, nice, priority, round((seconds or 0) * 1e9), deadline_ns, period_ns
    )
    return bool(libc.syscall(set_call, 0, wanted, 0) == 0)
