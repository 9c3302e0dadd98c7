"""The README's commands and examples, run as they are written; only ports are replaced."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tests.support.node import skip_without_node
from tests.support.server_pool import AS_MAKE_RUNS_IT

if TYPE_CHECKING:
    from tests.support.seeing_model import SeeingModels
    from tests.support.server import Server
    from tests.support.server_pool import ServerPool

README = Path(__file__).resolve().parent.parent.parent / "README.md"
REST, GRPC = "127.0.0.1:8080", "127.0.0.1:50051"


def blocks() -> list[str]:
    """The indented blocks in their order; a blank line ends one."""
    found = re.findall(r"^(?: {4}.*\n)+", README.read_text(), re.MULTILINE)
    return [re.sub(r"^ {4}", "", block, flags=re.MULTILINE).rstrip("\n") for block in found]


def fenced(language: str) -> str:
    """The one fenced block of a language."""
    (block,) = re.findall(rf"^```{language}\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    return str(block)


CURLS = [block for block in blocks() if block.startswith("curl ")]


def curl(command: str, server: Server) -> str:
    """What a command of the README prints."""
    if shutil.which("curl") is None:
        pytest.skip("curl is missing; install it")
    assert REST in command
    command = command.replace(REST, server.rest_url.removeprefix("http://"))
    run = subprocess.run(["sh", "-c", f"{command} -sS"], capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout


def shape(value: Any) -> Any:
    """The names and types of a JSON value."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return type(value)


def test_every_curl_in_the_readme_is_a_block_that_is_run() -> None:
    assert len(CURLS) == 5
    assert README.read_text().count("curl ") - README.read_text().count("grpcurl ") == len(CURLS)


def test_the_chat_answers_as_printed(server: Server) -> None:
    command = next(block for block in CURLS if "/v1/chat/completions" in block and "image_url" not in block)
    printed = json.loads(blocks()[blocks().index(command) + 1].replace("\n", ""))
    answer = json.loads(curl(command, server))
    assert list(answer) == list(printed)
    assert shape(answer) == shape(printed)
    assert "Berlin" in answer["choices"][0]["message"]["content"]
    for name in ("object", "model"):
        assert answer[name] == printed[name]
    assert answer["usage"]["prompt_tokens"] == printed["usage"]["prompt_tokens"]


def test_a_model_that_sees_answers_about_a_picture(servers: ServerPool, seeing: SeeingModels, tmp_path: Path) -> None:
    command = next(block for block in CURLS if "image_url" in block)
    projector = seeing.projector()
    Image.fromarray(projector.draw("blue")).save(tmp_path / "picture.png")
    server = servers.get(*AS_MAKE_RUNS_IT, "--mmproj", str(projector.path))
    answer = json.loads(curl(command.replace("picture.png", f"{tmp_path}/picture.png"), server))
    assert answer["usage"]["prompt_tokens_details"]["image_tokens"] == 4
    assert answer["choices"][0]["message"]["content"]


def test_the_completion(server: Server) -> None:
    command = next(block for block in CURLS if "/completion " in block and "stream" not in block)
    answer = json.loads(curl(command, server))
    assert (answer["prompt"], answer["stop"]) == ("Once upon a time", True)
    assert 0 < answer["tokens_predicted"] <= 32
    assert answer["content"]


def test_the_stream(server: Server) -> None:
    command = next(block for block in CURLS if "stream" in block)
    lines = curl(command, server).split("\n\n")
    assert lines.pop() == ""
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    assert [event["stop"] for event in events] == [False] * (len(events) - 1) + [True]
    assert events[-1]["tokens_predicted"] <= 8


def test_the_embeddings(server: Server) -> None:
    command = next(block for block in CURLS if "/v1/embeddings" in block)
    answer = json.loads(curl(command, server))
    assert [item["index"] for item in answer["data"]] == [0, 1]
    assert {len(item["embedding"]) for item in answer["data"]} == {576}


def test_the_example_for_node(server: Server, tmp_path: Path) -> None:
    skip_without_node()
    file = tmp_path / "example.mjs"
    assert REST in fenced("js")
    file.write_text(fenced("js").replace(REST, server.rest_url.removeprefix("http://")))
    run = subprocess.run(["node", str(file)], capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith(" Paris")


def test_the_example_for_grpc_prints_what_the_readme_says(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "example.py"
    assert GRPC in fenced("python")
    file.write_text(fenced("python").replace(GRPC, server.grpc_address))
    run = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")
    promised = next(block for block in blocks() if block.startswith("accepted "))
    assert grpc_output(run.stdout) == grpc_output(promised)


def grpc_output(text: str) -> tuple[list[str], list[str], list[str]]:
    """The events but for repetitions, the pieces of text, and the usage, of a printed output.

    Pieces that come while nobody reads share a delta, and another test may have left a prefix to start from.
    """
    events: list[str] = []
    pieces: list[str] = []
    usage: list[str] = []
    for line in text.strip().splitlines():
        name, _, rest = line.partition(" ")
        if name.endswith(":"):
            usage.append(name if name == "cached_prompt_tokens:" else line)
            continue
        pieces += ast.literal_eval(rest)
        if events[-1:] != [name]:
            events.append(name)
    return events, pieces, usage
