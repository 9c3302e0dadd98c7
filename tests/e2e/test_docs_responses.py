"""The examples of docs/responses.md, run as they are written; only the port is replaced."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.support.server import Server

PAGE = (Path(__file__).resolve().parent.parent.parent / "docs/responses.md").read_text()
REST = "127.0.0.1:8080"
#: What differs from run to run.
CHANGING = ("created_at", "id")


def blocks() -> list[str]:
    """The indented blocks; a blank line ends one."""
    found = re.findall(r"^(?: {4}.*\n)+", re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL), re.MULTILINE)
    return [re.sub(r"^ {4}", "", block, flags=re.MULTILINE).rstrip("\n") for block in found]


CURLS = [block for block in blocks() if block.startswith("curl ")]


def without_changes(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_changes(item) for name, item in value.items() if name not in CHANGING}
    return [without_changes(item) for item in value] if isinstance(value, list) else value


def test_all_examples_are_run() -> None:
    assert PAGE.count("    curl ") == len(CURLS) == 2


@pytest.mark.parametrize("command", CURLS, ids=["answer", "tokens"])
def test_an_answer_is_as_printed(command: str, server: Server) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is missing; install it")
    assert REST in command
    printed = json.loads(blocks()[blocks().index(command) + 1].replace("\n", ""))
    command = command.replace(REST, server.rest_url.removeprefix("http://"))
    run = subprocess.run(["sh", "-c", f"{command} -sS"], capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    answer = json.loads(run.stdout)
    assert list(answer) == list(printed)
    for one in (answer, printed):
        # What other tests have left in the cache counts.
        one.get("usage", {}).pop("input_tokens_details", None)
    assert without_changes(answer) == without_changes(printed)


def test_the_program_prints_what_the_page_says(server: Server, tmp_path: Path) -> None:
    ((program, printed),) = re.findall(r"^```python\n(.*?)^```\n\n((?: {4}[^\n]*\n)+)", PAGE, re.MULTILINE | re.DOTALL)
    file = tmp_path / "example.py"
    assert REST in program
    file.write_text(program.replace(REST, server.rest_url.removeprefix("http://")))
    run = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    first, *text, last = run.stdout.splitlines()
    expected = [line.removeprefix("    ") for line in printed.splitlines()]
    # The words of a model may differ on another processor.
    assert (first, last) == (expected[0], expected[-1])
    assert any(text)
