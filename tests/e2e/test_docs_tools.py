"""The examples of docs/tools.md, run as they are written; only the port is replaced."""

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

PAGE = (Path(__file__).resolve().parent.parent.parent / "docs/tools.md").read_text()
REST = "127.0.0.1:8080"
#: Indented blocks, each with a blank line behind it, and the programs between fences.
BLOCKS = [
    re.sub(r"^ {4}", "", block, flags=re.MULTILINE).rstrip("\n")
    for block in re.findall(r"^(?: {4}.*\n)+", re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL), re.MULTILINE)
]
CURLS = [block for block in BLOCKS if block.startswith("curl ")]
PROGRAMS = re.findall(r"^```python\n(.*?)^```\n\n((?: {4}[^\n]*\n)+)", PAGE, re.MULTILINE | re.DOTALL)


def answer_to(command: str, server: Server) -> Any:
    """What a curl command gets."""
    if shutil.which("curl") is None:
        pytest.skip("curl is missing; install it")
    command = command.replace(REST, server.rest_url.removeprefix("http://"))
    run = subprocess.run(["sh", "-c", f"{command} -sS"], capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    return json.loads(run.stdout)


def test_all_examples_are_run() -> None:
    assert [PAGE.count(start) for start in ("    curl ", "```python")] == [len(CURLS), len(PROGRAMS)] == [4, 2]


def printed_answer(command: str) -> Any:
    """The block behind a command."""
    return json.loads(BLOCKS[BLOCKS.index(command) + 1].replace("\n", ""))


def test_the_call_is_as_printed(server: Server) -> None:
    answer, printed = answer_to(CURLS[0], server), printed_answer(CURLS[0])
    assert list(answer) == list(printed)
    (choice,), (expected,) = answer["choices"], printed["choices"]
    (call,), (expected_call,) = choice["message"]["tool_calls"], expected["message"]["tool_calls"]
    assert re.fullmatch("call_[0-9A-Za-z]{24}", call["id"])
    assert call | {"id": ""} == expected_call | {"id": ""}
    assert choice | {"message": {}} == expected | {"message": {}}
    assert answer["usage"].keys() == printed["usage"].keys()
    assert answer["usage"]["prompt_tokens"] == printed["usage"]["prompt_tokens"]


def test_the_model_takes_the_result(server: Server) -> None:
    answer, printed = answer_to(CURLS[1], server), printed_answer(CURLS[1])
    assert list(answer) == list(printed)
    message = answer["choices"][0]["message"]
    assert message.keys() == printed["choices"][0]["message"].keys()
    # The words may differ on another processor.
    assert message["content"]
    assert answer["usage"]["prompt_tokens"] == printed["usage"]["prompt_tokens"]


def test_the_answer_obeys_the_schema(server: Server) -> None:
    city = json.loads(answer_to(CURLS[2], server)["choices"][0]["message"]["content"])
    assert city["name"] in ("Berlin", "Kyiv")
    assert isinstance(city["is_capital"], bool)
    assert len(city) == 2


def test_the_completion_matches(server: Server) -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", answer_to(CURLS[3], server)["content"])


@pytest.mark.parametrize(("program", "printed"), PROGRAMS, ids=["a tool and its result", "a pydantic model"])
def test_a_program_prints_what_the_page_says(server: Server, tmp_path: Path, program: str, printed: str) -> None:
    file = tmp_path / "example.py"
    assert REST in program
    file.write_text(program.replace(REST, server.rest_url.removeprefix("http://")))
    run = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    lines = run.stdout.splitlines()
    expected = [line.removeprefix("    ") for line in printed.splitlines()]
    # The words of a model may differ on another processor; the first line has none of its own.
    assert lines[0] == expected[0]
    assert all(lines)
