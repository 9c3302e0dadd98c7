"""Memory goes back to the system when what filled it is gone."""

from __future__ import annotations

import ctypes
from contextlib import suppress

# glibc's number for the option, from malloc.h.
_M_MMAP_THRESHOLD = -3
_LARGE_BYTES = 1 << 20


def return_large_blocks() -> None:
    """Have blocks of 1 MiB and more given back at once when they are freed.

    glibc raises this threshold by itself to the size of what was freed last, and from then on keeps what bodies and
    answers took. Other C libraries are left alone.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
