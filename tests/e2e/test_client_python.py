"""The Python client's examples, and the commands of its page."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from slotline.protocol.collecting import COLLECTED_MS
from tests.support.other_client import ROOT, run_program
from tests.support.server_pool import AS_MAKE_RUNS_IT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.fake_core import FakeCore
    from tests.support.seeing_model import SeeingModels
    from tests.support.server import Server
    from tests.support.server_pool import ServerPool

FOLDER = ROOT / "clients/python"
TIMEOUT_S = 120
#: Examples that need nothing but a server, and what they print, as an expression.
EXAMPLES = {
    "stream": r".+\n",
    "chat": r".*Berlin.*\n.+\n",
    "cancel": r".+\nleft the block\ntoo late\n",
    "embeddings": r"1\.000 a cat\n(\d\.\d{3} .+\n){2}",
    "errors": r"INVALID_ARGUMENT in output\.max_delta_delay_ms: .*10000.*\nUNAVAILABLE, reason ''\n",
}


def run(command: Sequence[str], address: str) -> str:
    """Run an example against a server; what it printed."""
    ran = run_program(command, address, timeout_s=TIMEOUT_S)
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


def test_three_commands_lead_to_the_first_text(server: Server) -> None:
    block = re.search(r"first text.*:\n\n((?: {4}.+\n)+)", (FOLDER / "README.md").read_text())
    assert block
    _, serve, ask = (line.strip() for line in block[1].splitlines())
    # The second one is what started the server of this test, and made this environment.
    assert serve == "make run"
    python, script, prompt = ask.split(maxsplit=2)
    assert python == ".venv/bin/python"
    assert len(run([sys.executable, script, prompt.strip('"')], server.grpc_address)) > 20


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_prints_what_it_says(name: str, server: Server) -> None:
    printed = run([sys.executable, str(FOLDER / f"examples/{name}.py")], server.grpc_address)
    assert re.fullmatch(EXAMPLES[name], printed, re.DOTALL), printed


def test_a_whole_answer_is_collected(core: FakeCore) -> None:
    run_program([sys.executable, str(FOLDER / "examples/chat.py")], core.address)
    assert [call.request.output.max_delta_delay_ms for call in core.calls] == [COLLECTED_MS, COLLECTED_MS]


def test_the_example_with_certificates_reaches_a_server_that_wants_them(
    strict_server: tuple[Server, list[str]],
) -> None:
    server, files = strict_server
    command = [sys.executable, str(FOLDER / "examples/mtls.py"), *files]
    assert run(command, server.grpc_address).startswith("SmolLM2")


def test_the_example_with_a_picture_says_what_is_in_it(
    servers: ServerPool, server: Server, seeing: SeeingModels, tmp_path: Path
) -> None:
    projector = seeing.projector()
    Image.fromarray(projector.draw("red")).save(tmp_path / "red.png")
    question = "What is the color of the picture? Answer with one word."
    command = [sys.executable, str(FOLDER / "examples/picture.py"), str(tmp_path / "red.png"), question]
    sees = servers.get(*AS_MAKE_RUNS_IT, "--mmproj", str(projector.path))
    assert re.fullmatch(r".*red.*\n4 tokens of \d+ are the picture\n", run(command, sees.grpc_address), re.DOTALL)
    blind = run_program(command, server.grpc_address, timeout_s=TIMEOUT_S)
    assert blind.returncode == 1
    assert blind.stderr.endswith(" takes no pictures\n")


def test_each_example_is_on_the_page_and_tried_here() -> None:
    named = set(re.findall(r"\(examples/(\w+)\.py\)", (FOLDER / "README.md").read_text()))
    assert named == {path.stem for path in (FOLDER / "examples").glob("*.py")} == {*EXAMPLES, "mtls", "picture"}
