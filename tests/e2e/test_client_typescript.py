"""The TypeScript client: built as its page says, its examples, and the suite of all clients."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from slotline.protocol.collecting import COLLECTED_MS
from tests.clients.suite import FREE_WITHIN_S, kill_while_streaming, run_cases
from tests.support.node import skip_without_node
from tests.support.other_client import (
    PREFIX_KEYS,
    ROOT,
    OtherClient,
    expected_prefix_keys,
    options_in_camel_case,
    run_program,
)

if TYPE_CHECKING:
    from tests.clients.suite import Ports
    from tests.support.fake_core import FakeCore
    from tests.support.server import Server

pytestmark = pytest.mark.timeout(400)

#: Examples that need nothing but a server, and what they print, as an expression.
EXAMPLES = {
    "stream": r".+\n",
    "chat": r"The capital of Germany is Berlin.*\(stop, \d+ tokens\)\n.*\n\d+ tokens .* cache\nget_weather \{.*\}\n",
    "cancel": r'left after ".+"\naborted: AbortError\ntoo late: DEADLINE_EXCEEDED\nall slots are free\n',
    "embeddings": r"3 vectors of 576 numbers\n(\d\.\d{3}  .*\n){3}",
    "errors": r"maxTokens: .*\nNOT_FOUND MODEL_NOT_FOUND .*\nINVALID_ARGUMENT sampling.temperature\ntrue\nUNAVAIL.*\n",
    "grpc_js": r".+\nFINISH_REASON_LENGTH after 8 tokens\n",
}
#: Names all options, for it has one that is unknown.
ASK_FOR_OPTIONS = """
import { Client } from "slotline-client";
try {
  new Client("localhost:1").generate("x", { unheardOf: 1 });
} catch (error) {
  console.log(error.message);
}
"""
#: Prints the prefix keys of a file of examples.
PRINT_KEYS = """
import { readFileSync } from "node:fs";
import { fromJson } from "@bufbuild/protobuf";
import { prefixKey } from "slotline-client";
import { GenerateRequestSchema } from "slotline-client/v1";
for (const { request } of JSON.parse(readFileSync(process.argv[2]))) {
  console.log(prefixKey(fromJson(GenerateRequestSchema, request)));
}
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> OtherClient:
    """The client in a clone, built as its page says."""
    skip_without_node((20, 0))
    made = OtherClient.copied("typescript", tmp_path_factory.mktemp("typescript"))
    made.build()
    return made


def test_three_commands_lead_to_the_first_text(client: OtherClient, server: Server) -> None:
    assert len(client.commands()) == 3
    assert "Paris" in client.run(client.commands()[-1], server.grpc_address)


def test_the_first_program_of_the_page_runs(client: OtherClient, server: Server) -> None:
    file = client.folder / "first.mjs"
    file.write_text(client.first_program("ts", server.grpc_address))
    assert client.run(["node", str(file)])


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_prints_what_it_says(name: str, client: OtherClient, server: Server) -> None:
    printed = client.run(["node", str(client.folder / f"build/examples/{name}.js")], server.grpc_address)
    assert re.fullmatch(EXAMPLES[name], printed, re.S), printed


def test_a_whole_answer_is_collected_and_a_stream_is_not(client: OtherClient, core: FakeCore) -> None:
    run_program(["node", str(client.folder / "build/examples/chat.js")], core.address)
    assert [call.request.output.max_delta_delay_ms for call in core.calls] == [COLLECTED_MS, 0, COLLECTED_MS]


def test_the_example_with_certificates_connects(client: OtherClient, ports: Ports) -> None:
    arguments = [ports.tls[name] for name in ("ca", "cert", "key")]
    program = str(client.folder / "build/examples/mtls.js")
    assert client.run(["node", program, *arguments], ports.cores["mutual"]) == "connected to scripted\n"


def test_the_example_with_a_picture_says_if_the_model_takes_none(client: OtherClient, server: Server) -> None:
    program = str(client.folder / "build/examples/picture.js")
    printed = client.run(["node", program, str(ROOT / "LICENSE")], server.grpc_address)
    assert printed.endswith(" takes no pictures\n")


def test_the_client_has_every_option_of_the_python_client(client: OtherClient) -> None:
    file = client.folder / "options.mjs"
    file.write_text(ASK_FOR_OPTIONS)
    known = client.run(["node", str(file)]).split("known are ")[1].strip().split(", ")
    assert set(known) == options_in_camel_case()


def test_prefix_keys_are_those_of_all_clients(client: OtherClient) -> None:
    file = client.folder / "keys.mjs"
    file.write_text(PRINT_KEYS)
    assert client.run(["node", str(file), str(PREFIX_KEYS)]).splitlines() == expected_prefix_keys()


def test_the_suite_passes(client: OtherClient, ports: Ports) -> None:
    run_cases(["node", str(client.folder / "build/tests/runner.js")], ports)


def test_a_killed_client_leaves_its_slot_free(client: OtherClient, ports: Ports) -> None:
    runner = ["node", str(client.folder / "build/tests/runner.js")]
    assert kill_while_streaming(runner, ports) < FREE_WITHIN_S
