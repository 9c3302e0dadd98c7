"""What tests need of Node.js."""

from __future__ import annotations

import shutil
import subprocess

import pytest

# The oldest that has a test runner with reporters, and that Debian 12 has.
OLDEST = 18


def skip_without_node() -> None:
    """Skip the test on a machine that cannot run it, and say what to install."""
    node = shutil.which("node")
    if node is None:
        pytest.skip(f"node is missing; install Node.js {OLDEST} or newer, with npm")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST:
        pytest.skip(f"node is {version}; install Node.js {OLDEST} or newer")
