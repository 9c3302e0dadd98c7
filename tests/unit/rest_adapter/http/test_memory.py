"""What large bodies took goes back to the system, although something small stands behind it in memory."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

_PROGRAM = """
from rest_adapter.http.memory import return_large_blocks

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

return_large_blocks()
# After this glibc would keep blocks that are as large.
first = b"x" * (16 << 20)
del first
blocks = [b"x" * (8 << 20) for _ in range(5)]
behind = [b"x" * 100_000 for _ in range(20)]
full = resident()
del blocks
print(full - resident())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library is not glibc")
def test_large_blocks_are_given_back_when_they_are_freed() -> None:
    ended = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    assert int(ended.stdout) > 36 << 20
