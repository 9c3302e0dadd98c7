"""JavaScript clients: the files of tests/node, run by Node's own test runner."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.node import run_tests, skip_without_node, skip_without_package

if TYPE_CHECKING:
    from tests.support.server import Server

FOLDER = Path(__file__).resolve().parent.parent / "node"


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.test.js")))
def test_the_file_passes(name: str, server: Server) -> None:
    skip_without_node()
    for package in ("openai", "@anthropic-ai/sdk"):
        skip_without_package(FOLDER, package)
    run_tests(FOLDER / name, os.environ | {"SLOTLINE_URL": server.rest_url})
