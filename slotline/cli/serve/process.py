"""What a process asks of the kernel about itself and its parent."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import signal

_PR_SET_PDEATHSIG = 1
#: More than anything here can use.
MAX_FILES = 65_536


def die_with_parent(parent_pid: int) -> bool:
    """Have the kernel send SIGKILL to this process when its parent dies; False if the parent is dead already.

    The child must ask for this itself, and first of all: the request does not survive ``exec``. It is tied to the
    thread of the parent that started the child, which must therefore live as long as the parent. The parent may have
    died before the kernel knew of the request, so it is checked afterwards.

    Args:
        parent_pid: the process that started this one.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl(PR_SET_PDEATHSIG): {os.strerror(error)}")
    return os.getppid() == parent_pid


def settle() -> None:
    """Keep what exists by now out of later garbage collections.

    A full collection walks over everything that was imported, which takes 12 ms: streams would feel it.
    """
    gc.collect()
    gc.freeze()


def raise_file_limit() -> None:
    """Open as many files as we may: what shells and service managers set is meant for programs without connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def describe_exit(returncode: int) -> str:
    """How a process ended, for people; negative codes are signals, as in ``subprocess``."""
    if returncode >= 0:
        return f"exited with status {returncode}"
    number = -returncode
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = "no known name"
    return f"was killed by signal {number} ({name})"
