"""Which files this process has open."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def open_files(directory: Path) -> list[Path]:
    """Those of this process at or below a directory; those that come and go elsewhere in the process do not count."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            found.append(Path(os.readlink(f"/proc/self/fd/{number}")))
    return [path for path in found if path.is_relative_to(directory.resolve())]
