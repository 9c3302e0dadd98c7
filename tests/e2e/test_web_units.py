"""The web page's modules in Node: the files of tests/web, and the copies of third-party modules."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.node import run_tests, skip_without_node, skip_without_package

ROOT = Path(__file__).resolve().parent.parent.parent
TESTS = ROOT / "tests/web"
TOOLS = ROOT / "tools/web"
# The oldest that takes the page's .js files for the modules that they are.
OLDEST = (20, 19)


@pytest.mark.parametrize("name", sorted(path.name for path in TESTS.glob("*.test.js")))
def test_the_file_passes(name: str) -> None:
    skip_without_node(OLDEST)
    skip_without_package(TESTS, "fake-indexeddb")
    run_tests(TESTS / name, os.environ)


def test_the_copies_of_modules_are_those_of_the_pinned_packages() -> None:
    skip_without_node()
    skip_without_package(TOOLS, "preact")
    run = subprocess.run(["node", "copy.mjs", "--check"], cwd=TOOLS, capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")
