"""JavaScript clients: the files of tests/node, run by Node's own test runner."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.node import skip_without_node
from tests.support.server import Server

FOLDER = Path(__file__).resolve().parent.parent / "node"
FILES = sorted(path.name for path in FOLDER.glob("*.test.js"))


@pytest.mark.parametrize("name", FILES)
def test_the_file_passes(name: str, server: Server) -> None:
    skip_without_node()
    if not (FOLDER / "node_modules/openai/package.json").exists():
        pytest.skip("the packages of tests/node are missing; run npm ci there")
    run = subprocess.run(
        ["node", "--test", "--test-reporter=tap", name],
        cwd=FOLDER,
        env=os.environ | {"SLOTLINE_URL": server.rest_url},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    # A file without tests passes, too.
    assert "\n# fail 0\n" in run.stdout
    assert "\n# pass 0\n" not in run.stdout
