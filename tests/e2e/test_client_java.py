"""The Java client: built as its page says, its examples, and the suite of all clients."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from slotline.protocol.collecting import COLLECTED_MS
from tests.clients.suite import FREE_WITHIN_S, kill_while_streaming, run_cases
from tests.support.other_client import (
    PREFIX_KEYS,
    ROOT,
    OtherClient,
    expected_prefix_keys,
    options_in_camel_case,
    run_program,
    skip_without,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.clients.suite import Ports
    from tests.support.fake_core import FakeCore
    from tests.support.server import Server

pytestmark = pytest.mark.timeout(400)

#: Examples that need nothing but a server, and what they print, as an expression.
EXAMPLES = {
    "Stream": r".+\n",
    "Chat": r"The capital of Germany is Berlin.*STOP, \d+ tokens\)\n.*\n\d+ tokens .* cache\nget_weather \{.*\}\n",
    "Cancel": r'left after ".+"\ncancelled .*\nfuture cancelled: true\ntoo late: DEADLINE.*\nall slots are free\n',
    "Embeddings": r"3 vectors of 576 numbers\n(\d\.\d{3}  .*\n){3}",
    "Errors": r"maxTokens: .*\nNOT_FOUND MODEL_NOT_FOUND .*\nINVALID_ARGUMENT sampling.temperature\ntrue\nUNAVAIL.*\n",
}
#: Prints the prefix keys of a file of examples.
PRINT_KEYS = """
import com.google.gson.JsonParser;
import com.google.protobuf.util.JsonFormat;
import dev.slotline.client.PrefixKey;
import dev.slotline.v1.GenerateRequest;
import java.nio.file.Files;
import java.nio.file.Path;

public class Keys {
  public static void main(String[] arguments) throws Exception {
    for (var example : JsonParser.parseString(Files.readString(Path.of(arguments[0]))).getAsJsonArray()) {
      var request = GenerateRequest.newBuilder();
      JsonFormat.parser().merge(example.getAsJsonObject().get("request").toString(), request);
      System.out.println(PrefixKey.of(request.build()));
    }
  }
}
"""
JAVA = ("java", f"@{ROOT / 'clients/java/classpath'}")


@pytest.fixture(scope="module")
def client() -> OtherClient:
    """The client, built as its page says; in place, for what has not changed is not compiled again."""
    skip_without("mvn", "javac", wanted="Maven 3.8 and a JDK of Java 17, or newer")
    made = OtherClient("java")
    made.build()
    return made


def test_its_commands_lead_to_the_first_text(client: OtherClient, server: Server) -> None:
    assert len(client.commands()) <= 3
    assert "Paris" in client.run(client.commands()[-1], server.grpc_address)


def test_the_first_program_of_the_page_runs(client: OtherClient, server: Server, tmp_path: Path) -> None:
    file = tmp_path / "First.java"
    file.write_text(client.first_program("java", server.grpc_address))
    assert client.run([*JAVA, str(file)])


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_prints_what_it_says(name: str, client: OtherClient, server: Server) -> None:
    printed = client.run([*JAVA, f"dev.slotline.examples.{name}"], server.grpc_address)
    assert re.fullmatch(EXAMPLES[name], printed, re.S), printed


def test_a_whole_answer_is_collected_and_a_stream_is_not(client: OtherClient, core: FakeCore) -> None:
    run_program([*JAVA, "dev.slotline.examples.Chat"], core.address)
    assert [call.request.output.max_delta_delay_ms for call in core.calls] == [COLLECTED_MS, 0, COLLECTED_MS]


def test_the_example_with_certificates_connects(client: OtherClient, ports: Ports) -> None:
    arguments = [ports.tls[name] for name in ("ca", "cert", "key")]
    printed = client.run([*JAVA, "dev.slotline.examples.MutualTls", *arguments], ports.cores["mutual"])
    assert printed == "connected to scripted\n"


def test_the_example_with_a_picture_says_if_the_model_takes_none(client: OtherClient, server: Server) -> None:
    printed = client.run([*JAVA, "dev.slotline.examples.Picture", str(ROOT / "LICENSE")], server.grpc_address)
    assert printed.endswith(" takes no pictures\n")


def test_the_client_has_every_option_of_the_python_client(client: OtherClient) -> None:
    classes = [f"dev.slotline.client.{name}" for name in ("Prompt", "PlainOptions")]
    listed = client.run(["javap", "-public", "-cp", str(client.folder / "target/classes"), *classes])
    methods = set(re.findall(r" (\w+)\(", listed))
    assert options_in_camel_case() - methods == set()


def test_prefix_keys_are_those_of_all_clients(client: OtherClient, tmp_path: Path) -> None:
    file = tmp_path / "Keys.java"
    file.write_text(PRINT_KEYS)
    assert client.run([*JAVA, str(file), str(PREFIX_KEYS)]).splitlines() == expected_prefix_keys()


def test_the_suite_passes(client: OtherClient, ports: Ports) -> None:
    run_cases([*JAVA, "dev.slotline.suite.Runner"], ports, cwd=ROOT)


def test_a_killed_client_leaves_its_slot_free(client: OtherClient, ports: Ports) -> None:
    assert kill_while_streaming([*JAVA, "dev.slotline.suite.Runner"], ports, cwd=ROOT) < FREE_WITHIN_S
