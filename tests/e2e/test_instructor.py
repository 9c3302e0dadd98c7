"""instructor gets pydantic models from the server, by tools and by schemas. It has an environment of its own."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.server import PATIENCE_S

if TYPE_CHECKING:
    from tests.support.server import Server

PYTHON = Path(__file__).resolve().parent.parent.parent / ".venv-instructor/bin/python"
SCRIPT = Path(__file__).with_name("instructor_client.py")


def test_models_come_back_in_every_mode(server: Server) -> None:
    if not PYTHON.exists():
        pytest.skip("instructor is not installed; `make test` does that")
    done = subprocess.run(
        [str(PYTHON), str(SCRIPT), server.rest_url], capture_output=True, text=True, timeout=5 * PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert Counter((answer["mode"], answer["kind"]) for answer in answers) == {
        (mode, kind): number
        for mode in ("TOOLS", "TOOLS_STRICT", "JSON_SCHEMA")
        for kind, number in (("whole", 3), ("again", 3), ("streamed", 1))
    }
