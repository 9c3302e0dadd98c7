"""What tests need of Node.js."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# The oldest that has a test runner with reporters, and that Debian 12 has.
OLDEST = (18, 0)


def skip_without_node(oldest: tuple[int, int] = OLDEST) -> None:
    """Skip the test on a machine that cannot run it, and say what to install."""
    wanted = f"install Node.js {oldest[0]}.{oldest[1]} or newer, with npm"
    node = shutil.which("node")
    if node is None:
        pytest.skip(f"node is missing; {wanted}")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    major, minor, _ = version.removeprefix("v").split(".", 2)
    if (int(major), int(minor)) < oldest:
        pytest.skip(f"node is {version}; {wanted}")


def skip_without_package(folder: Path, name: str) -> None:
    """Skip the test if a folder's packages have not been installed."""
    if not (folder / "node_modules" / name / "package.json").exists():
        pytest.skip(f"the packages of {folder.name} are missing; run npm ci in {folder}")


def run_tests(file: Path, environment: Mapping[str, str]) -> None:
    """Run a file of tests with Node's own runner; fail if one of them fails, or if there is none."""
    run = subprocess.run(
        ["node", "--test", "--test-reporter=tap", file.name],
        cwd=file.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    # A file without tests passes, too.
    assert "\n# fail 0\n" in run.stdout
    assert "\n# pass 0\n" not in run.stdout
