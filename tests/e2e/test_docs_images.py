"""The examples of docs/pictures.md, run as they are written; only ports are replaced."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from slotline.client import Client

if TYPE_CHECKING:
    from tests.support.server import Server
    from tests.support.server_pool import ServerPool

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs/pictures.md").read_text()
REST, GRPC = "127.0.0.1:8080", "127.0.0.1:50051"
BLOCKS = [re.sub(r"^ {4}", "", block, flags=re.M) for block in re.findall(r"^(?: {4}.*\n)+", PAGE, re.M)]
CHAT, COMPLETION = (block.strip() for block in BLOCKS if block.startswith("curl "))
WRITES, ASKS = re.findall(r"^```python\n(.*?)^```\n\n((?: {4}[^\n]*\n)+)", PAGE, re.M | re.S)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first program has written its files."""
    folder = tmp_path_factory.mktemp("pictures")
    program, printed = WRITES
    assert run(program, folder) == printed.strip()
    return folder


@pytest.fixture(scope="module")
def server(servers: ServerPool, folder: Path) -> Server:
    """The server that the page starts then."""
    (command,) = (block for block in BLOCKS if "serve -c" in block)
    *_, serve = command.split("slotline serve ")
    *options, file = serve.split()
    return servers.get(*options, str(folder / file))


def run(program: str, folder: Path) -> str:
    """What a program prints that is started in a folder, and finds the repository's packages."""
    file = folder / "example.py"
    file.write_text(f"import sys\n\nsys.path.insert(0, {str(ROOT)!r})\n{program}")
    done = subprocess.run([sys.executable, str(file)], cwd=folder, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.strip()


def curl(command: str, server: Server, folder: Path) -> str:
    """What a command prints that is run in a folder."""
    if shutil.which("curl") is None:
        pytest.skip("curl is missing; install it")
    assert REST in command
    command = command.replace(REST, server.rest_url.removeprefix("http://"))
    done = subprocess.run(["sh", "-c", f"{command} -sS"], cwd=folder, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_all_examples_are_run() -> None:
    assert (PAGE.count("curl "), PAGE.count("```python")) == (2, 2)


def test_the_chat_answers_as_printed(server: Server, folder: Path) -> None:
    printed = json.loads(BLOCKS[BLOCKS.index(f"{CHAT}\n") + 1].replace("\n", ""))
    answer = json.loads(curl(CHAT, server, folder))
    changing = {"id": "", "created": 0, "usage": {}}
    assert answer.keys() == printed.keys()
    assert {**answer, **changing, "choices": []} == {**printed, **changing, "choices": []}
    # The words of a model may differ on another processor, but not the colour.
    assert "red" in answer["choices"][0]["message"]["content"]
    counted = [
        (usage["prompt_tokens"], usage["prompt_tokens_details"]["image_tokens"])
        for usage in (answer["usage"], printed["usage"])
    ]
    assert counted[0] == counted[1]


def test_the_completion_says_the_colour(server: Server, folder: Path) -> None:
    answer = json.loads(curl(COMPLETION, server, folder))
    assert "red" in answer["content"]


def test_the_client_prints_what_the_page_says(server: Server, folder: Path) -> None:
    program, printed = ASKS
    assert GRPC in program
    text, n_tokens = run(program.replace(GRPC, server.grpc_address), folder).rsplit(maxsplit=1)
    assert "red" in text
    assert n_tokens == printed.split()[-1]


def test_the_limits_are_those_that_a_server_tells(server: Server) -> None:
    with Client(server.grpc_address) as client:
        (model,) = client.models()
    told = dict(re.findall(r"^\| ([^|]+) \| ([^|]+?),? (?:known[^|]*)?\| `--max-[a-z-]+` \|$", PAGE, re.M))
    assert told == {
        "pictures of one request": f"{model.images.max_images}",
        "file of a picture": f"{model.images.max_image_bytes >> 20} MiB",
        "files of all pictures of a request": f"{model.images.max_request_image_bytes >> 20} MiB",
        "pixels of a picture": f"{model.images.max_image_pixels:,}",
        "pictures that wait to be encoded": "32",
    }
