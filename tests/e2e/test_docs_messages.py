"""The examples of docs/messages.md, run as they are written; only the port is replaced."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.server import Server

PAGE = (Path(__file__).resolve().parent.parent.parent / "docs/messages.md").read_text()
REST = "127.0.0.1:8080"
#: The command and the program, each with what it prints.
(CURL,) = re.findall(r"^((?: {4}.*\n)+)\n((?: {4}.*\n)+)", PAGE, re.MULTILINE)[:1]
(PROGRAM,) = re.findall(r"^```python\n(.*?)^```\n\n((?: {4}[^\n]*\n)+)", PAGE, re.MULTILINE | re.DOTALL)


def on(server: Server, text: str) -> str:
    """A text with the address of the server."""
    assert REST in text
    return text.replace(REST, server.rest_url.removeprefix("http://"))


def test_all_examples_are_run() -> None:
    assert [PAGE.count(start) for start in ("    curl ", "```python")] == [1, 1]


def test_the_answer_is_as_printed(server: Server) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is missing; install it")
    command, printed = CURL
    run = subprocess.run(["sh", "-c", f"{on(server, command).strip()} -sS"], capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")
    answer, expected = json.loads(run.stdout), json.loads(re.sub(r"\n? {4}", "", printed))
    assert answer["usage"].keys() == expected["usage"].keys()
    # What other tests have left in the cache counts.
    changing = {"id": "", "usage": {}}
    assert answer | changing == expected | changing


def test_the_program_prints_what_the_page_says(server: Server) -> None:
    program, printed = PROGRAM
    run = subprocess.run([sys.executable, "-c", on(server, program)], capture_output=True, text=True, timeout=100)
    assert run.returncode == 0, run.stderr
    first, *text, last = run.stdout.splitlines()
    expected = [line.removeprefix("    ") for line in printed.splitlines()]
    # The words of a model may differ with what is cached, and on another processor.
    assert (first, last) == (expected[0], expected[-1])
    assert any(text)
