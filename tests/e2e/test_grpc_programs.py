"""Programs that people point at gRPC servers: grpcurl, grpc-health-probe and ghz."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from service.config import ModelConfig
from service.testing.scripted_model import next_letter
from tests.support.calls import scripted_text
from tests.support.scripted_core import WAIT_S, Gate, core_config, load_scripted
from tests.support.scripted_service import CoreThread

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parents[2] / ".go-tools"
KEY = "a-key"
GENERATE = "slotline.v1.InferenceService/Generate"
BODY = json.dumps({"text": "Hello", "sampling": {"temperature": 0, "repeatPenalty": 1}, "stop": {"maxTokens": 3}})

pytestmark = pytest.mark.skipif(
    not (FOLDER / "ghz").exists(),
    reason="grpcurl, grpc-health-probe and ghz are missing; `make test` builds them with Go 1.21 or newer",
)


@pytest.fixture(scope="module")
def core() -> Iterator[CoreThread]:
    """A core on the scripted model."""
    thread = CoreThread(core_config(), load_scripted(next_letter))
    yield thread
    thread.close()


@pytest.fixture(scope="module")
def address(core: CoreThread) -> str:
    """Where it listens."""
    return core.server.addresses[0]


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of the programs."""
    return subprocess.run(
        [str(FOLDER / program), *arguments], capture_output=True, text=True, timeout=WAIT_S, check=False
    )


def output_of(program: str, *arguments: str) -> str:
    """What a program writes that succeeds."""
    done = run(program, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def messages_in(text: str) -> list[dict[str, Any]]:
    """Values of JSON that stand one behind the other."""
    decoder, found = json.JSONDecoder(), []
    while text := text.lstrip():
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:]
    return found


def test_grpcurl_lists_and_describes_what_is_served(address: str) -> None:
    assert {"slotline.v1.InferenceService", "slotline.v1.ModelService", "grpc.health.v1.Health"} <= set(
        output_of("grpcurl", "-plaintext", address, "list").split()
    )
    described = output_of("grpcurl", "-plaintext", address, "describe", "slotline.v1.GenerateRequest")
    assert "message GenerateRequest {" in described
    assert ".slotline.v1.SamplingParams sampling" in described


def test_grpcurl_streams_an_answer(address: str) -> None:
    messages = messages_in(output_of("grpcurl", "-plaintext", "-d", BODY, address, GENERATE))
    assert "accepted" in messages[0]
    assert "finished" in messages[-1]
    pieces = [piece["text"] for message in messages[1:-1] for piece in message["delta"]["pieces"]]
    assert "".join(pieces) == scripted_text(b"Hello", 3)


def test_grpcurl_shows_reason_and_field_of_a_refusal(address: str) -> None:
    refused = run("grpcurl", "-plaintext", "-d", '{"text": "Hello", "nKeep": -7}', address, GENERATE)
    assert refused.returncode == 64 + 3
    assert "InvalidArgument" in refused.stderr
    assert '"reason": "INVALID_ARGUMENT"' in refused.stderr
    assert '"field": "n_keep"' in refused.stderr


def test_the_health_probe_tells_a_server_that_serves_from_one_that_is_gone(address: str) -> None:
    for service in ("", "slotline.v1.InferenceService", "slotline.v1.ModelService"):
        assert "SERVING" in run("grpc-health-probe", f"-addr={address}", f"-service={service}").stderr
    unknown = run("grpc-health-probe", f"-addr={address}", "-service=nobody")
    assert (unknown.returncode, "NotFound" in unknown.stderr) == (3, True)
    model = ModelConfig(path="/models/scripted.gguf", n_ctx=512, n_parallel=2)
    gone = CoreThread(core_config(model=model), load_scripted(Gate().script))
    where = gone.server.addresses[0]
    gone.close()
    assert run("grpc-health-probe", f"-addr={where}", "-connect-timeout=2s").returncode != 0


def test_programs_need_the_key_that_clients_need() -> None:
    core = CoreThread(core_config(api_keys=(KEY,)), load_scripted())
    try:
        where = core.server.addresses[0]
        assert "Unauthenticated" in run("grpcurl", "-plaintext", "-d", BODY, where, GENERATE).stderr
        with_key = ("-H", f"authorization: Bearer {KEY}")
        assert "finished" in output_of("grpcurl", "-plaintext", *with_key, "-d", BODY, where, GENERATE)
        assert run("grpc-health-probe", f"-addr={where}").returncode == 0
    finally:
        core.close()


def test_ghz_gets_an_answer_to_every_call(core: CoreThread, address: str) -> None:
    n_calls = 60
    options = ("--insecure", "--format=json", f"--total={n_calls}", "--concurrency=6", f"--data={BODY}")
    report = json.loads(output_of("ghz", *options, "--call", GENERATE.replace("/", "."), address))
    assert report["statusCodeDistribution"] == {"OK": n_calls}
    snapshot = core.server.core.status().snapshot
    assert snapshot.slots_processing == snapshot.queue_depth == 0


def test_all_programs_were_built() -> None:
    assert all(shutil.which(str(FOLDER / name)) for name in ("grpcurl", "grpc-health-probe", "ghz"))
