"""The Go client: its page, its examples, its own tests, and the suite of all clients."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from slotline.protocol.collecting import COLLECTED_MS
from tests.clients.suite import FREE_WITHIN_S, N_KILLS, fail_wrong_cases, kill_while_streaming, run_cases
from tests.support.golang import skip_without_go
from tests.support.other_client import ROOT, output_of, run_program

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.clients.suite import Ports
    from tests.support.fake_core import FakeCore
    from tests.support.seeing_model import SeeingModels
    from tests.support.server import Server
    from tests.support.server_pool import ServerPool

CLIENT = ROOT / "clients/go"
PAGE = (CLIENT / "README.md").read_text()
#: Whatever is compiled on a busy machine for the first time takes minutes.
COMPILE_S = 500
pytestmark = pytest.mark.timeout(600)
#: Examples that need nothing but a server, and what they print, as an expression.
EXAMPLES = {
    "stream": r".+\n",
    "chat": r".*Berlin.*\n.+\n",
    "cancel": r".+\nleft the loop\nthe context ended it\n",
    "embeddings": r"1\.000 a cat\n(\d\.\d{3} .+\n){2}",
    "errors": r"INVALID_ARGUMENT in output\.max_delta_delay_ms: .*10000.*\nUnavailable, reason \"\"\n",
}


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the examples and the runner of the suite, compiled."""
    skip_without_go()
    folder = tmp_path_factory.mktemp("go")
    go("build", "-o", str(folder), "./examples/...", "./internal/contract")
    return folder


def go(*arguments: str) -> str:
    """Run the go command in the client's folder; what it printed."""
    return output_of(["go", *arguments], cwd=CLIENT, timeout_s=COMPILE_S)


def run(command: str | Sequence[str], address: str, *, cwd: Path = ROOT) -> str:
    """Run an example against a server; what it printed."""
    return output_of(command, address, cwd=cwd, timeout_s=COMPILE_S)


def test_three_commands_lead_to_the_first_text(server: Server, tmp_path: Path) -> None:
    skip_without_go()
    block = re.search(r"first text.*:\n\n((?: {4}.+\n)+)", PAGE)
    assert block
    clone, serve, ask = (line.strip() for line in block[1].splitlines())
    assert serve == "make run"
    run(clone.replace("REPOSITORY", str(ROOT)), "", cwd=tmp_path)
    assert len(run(ask, server.grpc_address, cwd=tmp_path / "slotline")) > 20


def test_the_program_of_the_page_runs(server: Server, tmp_path: Path) -> None:
    skip_without_go()
    program = re.search(r"```go\n(.*?)```", PAGE, re.DOTALL)
    assert program
    file = tmp_path / "main.go"
    file.write_text(program[1].replace("127.0.0.1:50051", server.grpc_address))
    assert go("run", str(file))


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_prints_what_it_says(name: str, programs: Path, server: Server) -> None:
    printed = run([str(programs / name)], server.grpc_address)
    assert re.fullmatch(EXAMPLES[name], printed, re.DOTALL), printed


def test_a_whole_answer_is_collected(programs: Path, core: FakeCore) -> None:
    run_program([str(programs / "chat")], core.address)
    assert [call.request.output.max_delta_delay_ms for call in core.calls] == [COLLECTED_MS, COLLECTED_MS]


def test_the_example_with_certificates_reaches_a_server_that_wants_them(
    programs: Path, strict_server: tuple[Server, list[str]]
) -> None:
    server, files = strict_server
    assert run([str(programs / "mtls"), *files], server.grpc_address).startswith("SmolLM2")


def test_the_example_with_a_picture_tells_its_colour(
    programs: Path, servers: ServerPool, seeing: SeeingModels, tmp_path: Path
) -> None:
    server = servers.get("-c", "8192", "-np", "4", "--embedding", "--mmproj", str(seeing.projector().path))
    file = tmp_path / "red.png"
    Image.new("RGB", (64, 64), (255, 0, 0)).save(file)
    printed = run([str(programs / "picture"), str(file), "Which colour is this?"], server.grpc_address)
    assert "red" in printed.lower()


def test_the_clients_own_tests_pass_and_its_code_is_in_order() -> None:
    skip_without_go()
    assert "ok" in go("test", "./...")
    go("vet", "./...")
    assert subprocess.run(["gofmt", "-l", str(CLIENT)], capture_output=True, text=True, check=True).stdout == ""


def test_the_suite_passes(programs: Path, ports: Ports) -> None:
    run_cases([str(programs / "contract")], ports)


def test_cases_that_are_not_as_expected_fail(programs: Path, ports: Ports, tmp_path: Path) -> None:
    fail_wrong_cases([str(programs / "contract")], ports, tmp_path)


def test_a_killed_client_leaves_its_slot_free(programs: Path, ports: Ports) -> None:
    runner = [str(programs / "contract")]
    assert max(kill_while_streaming(runner, ports) for _ in range(N_KILLS)) < FREE_WITHIN_S
