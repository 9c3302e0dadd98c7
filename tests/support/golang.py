"""What tests need of Go."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

#: Older ones cannot fetch the version that a module asks for.
OLDEST = (1, 21)


def skip_without_go() -> None:
    """Skip the test on a machine that cannot run it, and say what to install."""
    wanted = f"install Go {OLDEST[0]}.{OLDEST[1]} or newer"
    if shutil.which("go") is None:
        pytest.skip(f"go is missing; {wanted}")
    version = subprocess.run(["go", "version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"go(\d+)\.(\d+)", version)
    if found is None or (int(found[1]), int(found[2])) < OLDEST:
        pytest.skip(f"{version.strip()} is too old; {wanted}")
