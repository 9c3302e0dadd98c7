"""The examples of the Python client's README, run as they are written; only the address is replaced."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests.support.server_pool import AS_MAKE_RUNS_IT

if TYPE_CHECKING:
    from tests.support.seeing_model import SeeingModels
    from tests.support.server import Server
    from tests.support.server_pool import ServerPool

README = Path(__file__).resolve().parent.parent.parent / "clients/python/README.md"
GRPC = "127.0.0.1:50051"
#: Whole programs, each with what it prints.
PROGRAMS = re.findall(
    r"^```python\n((?:from|import) .*?)^```\n(?:\n((?: {4}[^\n]*\n)+))?", README.read_text(), re.M | re.S
)
(SEES,) = (program for program, _ in PROGRAMS if "image" in program)
TEXTS = [(program, promised) for program, promised in PROGRAMS if program != SEES]
#: Lines that go on with the program about pictures.
MORE_ABOUT_PICTURES = re.findall(
    r"^```python\n(client\.complete\(\[.*?picture.*?)^```$", README.read_text(), re.M | re.S
)


def test_pictures_can_be_sent_as_the_readme_says(servers: ServerPool, seeing: SeeingModels, tmp_path: Path) -> None:
    projector = seeing.projector()
    server = servers.get(*AS_MAKE_RUNS_IT, "--mmproj", str(projector.path))
    Image.fromarray(projector.draw("red")).save(tmp_path / "picture.png")
    (more,) = MORE_ABOUT_PICTURES
    file = tmp_path / "example.py"
    file.write_text(SEES.replace(GRPC, server.grpc_address) + re.sub(r"^", "    ", more, flags=re.M))
    run = subprocess.run([sys.executable, str(file)], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.split()[-1] == "4"


@pytest.mark.parametrize(("program", "promised"), TEXTS, ids=["first", "parse", "tools"])
def test_a_program_prints_what_the_readme_says(program: str, promised: str, server: Server, tmp_path: Path) -> None:
    file = tmp_path / "example.py"
    file.write_text(program.replace(GRPC, server.grpc_address))
    run = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, timeout=120)
    assert (run.returncode, run.stderr) == (0, "")
    # Other processors compute other texts; how much there is of them, and calls, are the same.
    assert shape(run.stdout) == shape(re.sub(r"^ {4}", "", promised, flags=re.M) or run.stdout)
    assert run.stdout


def shape(text: str) -> list[str]:
    """The lines with numbers and names of people left out; of sentences only that they are there."""
    lines = [re.sub(r"'[^']*'|\b\d+\b", "...", line) for line in text.splitlines()]
    return ["a sentence" if line[:1].isupper() else line for line in lines]
