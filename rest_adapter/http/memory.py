"""Giving memory back to the operating system."""

from __future__ import annotations

import ctypes
from contextlib import suppress

#: glibc's number for the option, from malloc.h.
_M_MMAP_THRESHOLD = -3
_LARGE_BYTES = 1 << 20


def return_large_blocks() -> None:
    """Have blocks of 1 MiB and more given back at once when they are freed.

    By itself, glibc raises this threshold to the size of large blocks that were freed, and then keeps the memory of
    bodies and answers. Other C libraries are left alone.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
