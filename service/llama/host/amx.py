"""Whether the library's AMX kernels can be trusted on this machine.

GCC 12 compiles the library's tile configuration wrongly: its ``_tile_loadconfig`` declares only 8 of the 64 bytes that
it reads, so the optimiser drops the stores to the others. A library that was built like that crashes at the first
batch of two tokens on any processor with AMX. Built with ``-fno-dse`` it works, and is three times as fast as without
AMX (measured: 8 sequences in 20 ms instead of 60). No version number tells these builds apart, so the kernels are
tried out.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from service.llama.host.logs import logger

if TYPE_CHECKING:
    from service.llama.host.library import Library

_PROBE = Path(__file__).with_name("amx_probe.py")
_PROBE_TIMEOUT_S = 60.0


@functools.cache
def amx_is_sound(library: Library) -> bool:
    """Try the AMX kernels in a process of their own, once; True also if the library was built without them.

    Takes 40 ms where there is AMX.
    """
    if "AMX_INT8 = 1" not in library.system_info:
        return True
    try:
        probe = subprocess.run(
            [sys.executable, "-I", str(_PROBE), library.folder],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PROBE_TIMEOUT_S,
            check=False,
        )
        outcome = f"exit code {probe.returncode}"
    except (OSError, subprocess.TimeoutExpired) as error:
        outcome = str(error)
    else:
        if probe.returncode == 0:
            return True
    logger.warning(
        "the AMX kernels of this build of llama.cpp do not work (%s); computing without them, which is slower. "
        "Reinstall llama-cpp-python with CMAKE_ARGS=-DCMAKE_CXX_FLAGS=-fno-dse in the environment",
        outcome,
    )
    return False
