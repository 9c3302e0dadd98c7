"""The chats of clients/node and clients/shell, which show how to use the REST API without any package."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from rest_adapter.config import RestConfig
from tests.support.adapter import AdapterThread
from tests.support.fake_core import WAIT_S, FakeCore, Hold, Refuse, Step, accepted, delta, finished, whole
from tests.support.node import skip_without_node
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.support.server import Server

CLIENTS = Path(__file__).resolve().parent.parent.parent / "clients"
GRAMMAR_OPTIONS = ("--grammar", "--grammar-json-schema", "--grammar-json-schema-prop-order")
COMMANDS = {"node": ("node", str(CLIENTS / "node/chat.mjs")), "shell": ("bash", str(CLIENTS / "shell/chat.sh"))}
OPTIONS = {
    "node": ("--url", "--api-key", *GRAMMAR_OPTIONS, "--no-cache-prompt", "--help"),
    "shell": ("--url", "--api-key", "--help"),
}
both = pytest.mark.parametrize("client", COMMANDS)

# What a shell may lose or take for something of its own.
PIECES = (" %s", " *", "\n", "\n$HOME `x`", " \\n\\", " 龍", ' "😀"', "\t.", "\n")
PRINTED = '%s *\n\n$HOME `x` \\n\\ 龍 "😀"\t.\n\n'

Connect = Callable[..., str]


def command(client: str, *options: str) -> list[str]:
    """A chat's command line. Skips the test if the machine has not what the chat needs."""
    if client == "node":
        skip_without_node()
    else:
        missing = [name for name in ("bash", "curl", "jq") if shutil.which(name) is None]
        if missing:
            pytest.skip(f"missing: {' '.join(missing)}; install them with your system's package manager")
    return [*COMMANDS[client], *options]


def chat(client: str, *options: str, questions: str = "") -> subprocess.CompletedProcess[str]:
    """A whole chat; questions are lines."""
    return subprocess.run(
        command(client, *options), input=questions, capture_output=True, text=True, encoding="utf-8", timeout=60
    )


@pytest.fixture
def connect(core: FakeCore) -> Iterator[Connect]:
    """Starts an adapter on that core; ``connect(api_keys=("k",))`` is the URL of one with these settings."""
    adapters: list[AdapterThread] = []

    def start(**settings: object) -> str:
        adapters.append(AdapterThread(RestConfig(core=core.address, **settings)))  # type: ignore[arg-type]
        return adapters[-1].url

    yield start
    for adapter in adapters:
        adapter.close()


@both
def test_a_question_is_answered_by_the_model(client: str, server: Server) -> None:
    run = chat(client, "--url", f"{server.rest_url}/", questions="What is the capital of France?\n")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.strip()
    assert run.stdout.endswith("\n")


def test_answers_obey_a_grammar(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "answer.gbnf"
    file.write_text('root ::= " " ("yes" | "no")')
    run = chat("node", f"--url={server.rest_url}", "--grammar", str(file), questions="Is Paris a city?\n")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout in ("yes\n", "no\n")


@pytest.mark.parametrize("no_cache", [(), ("--no-cache-prompt",), ("--no-cache-prompt", "true")])
def test_answers_obey_a_schema(server: Server, tmp_path: Path, no_cache: tuple[str, ...]) -> None:
    file = tmp_path / "answer.json"
    properties = {"name": {"enum": ["Paris", "Rome"]}, "is_big": {"type": "boolean"}}
    file.write_text(json.dumps({"type": "object", "properties": properties}))
    options = ("--grammar-json-schema", str(file), "--grammar-json-schema-prop-order", "name,is_big")
    run = chat("node", "--url", server.rest_url, *options, *no_cache, questions="Name a city.\n")
    assert (run.returncode, run.stderr) == (0, "")
    answer = json.loads(run.stdout)
    assert list(answer) == ["name", "is_big"]
    assert answer["name"] in ("Paris", "Rome")


def test_a_shell_script_of_2024_understands_the_answers(server: Server) -> None:
    command("shell")
    script = r"""
        curl -sS --url "$URL/tokenize" --data-raw '{"content":"Hello there"}' | jq '.tokens[]' | wc -l
        body='{"prompt":"1, 2, 3,","n_predict":8,"temperature":0,"repeat_penalty":1,"stream":true}'
        curl -sS --no-buffer --url "$URL/completion" --data-raw "$body" | while IFS= read -r line; do
            if [[ $line = data:* ]]; then jq -rj .content <<<"${line:5}"; fi
        done
    """
    variables = os.environ | {"URL": server.rest_url}
    run = subprocess.run(["bash", "-c", script], env=variables, capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")
    count, text = run.stdout.split("\n", 1)
    assert int(count) == 2
    assert text.startswith(" 4, 5, 6")


@both
def test_text_is_printed_as_it_came(client: str, core: FakeCore, connect: Connect) -> None:
    core.script = lambda request: whole(*PIECES)
    run = chat(client, "--url", connect(), questions="Hi\n")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == PRINTED


@both
def test_requests_are_those_of_a_chat_that_remembers(client: str, core: FakeCore, connect: Connect) -> None:
    last = finished(2)
    last.finished.slot_id = 1
    core.script = lambda request: [accepted(slot_id=1), delta(" Fine,"), delta(" 100 %.\n"), last]
    chat(client, "--url", connect(), questions='How "are" you?\n\n  \nAnd \\n?\n')
    first, second = (call.request for call in core.calls)
    assert first.text.endswith('### Human: How "are" you?\n### Assistant:')
    assert second.text.startswith(first.text)
    assert second.text.removeprefix(first.text).split("\n")[0] == " Fine, 100 %."
    assert second.text.endswith("\n### Human: And \\n?\n### Assistant:")
    # The core counts letters; the instruction comes first.
    assert first.text[: first.n_keep].endswith(".")
    assert first.text[first.n_keep :].startswith("\n### Human: ")
    assert list(first.stop.texts) == ["\n### Human:"]
    assert (first.cache.cache_prompt, first.stop.max_tokens) == (True, 256)
    assert not first.cache.HasField("slot_id")
    assert second.cache.slot_id == 1


def test_a_cache_that_is_not_wanted(core: FakeCore, connect: Connect) -> None:
    for given, wanted in (("--no-cache-prompt", False), ("--no-cache-prompt=false", True)):
        core.calls.clear()
        assert chat("node", "--url", connect(), given, questions="Hi\n").returncode == 0
        assert core.calls[0].request.cache.cache_prompt is wanted


@both
def test_what_the_server_cut_is_not_sent_again(client: str, core: FakeCore, connect: Connect) -> None:
    last = finished()
    last.finished.truncated = True
    core.script = lambda request: [accepted(), delta("ok"), last]
    chat(client, "--url", connect(), questions="one\ntwo\nthree\n")
    texts = [call.request.text for call in core.calls]
    assert [text.count("### Human:") for text in texts] == [2, 2, 2]
    assert "### Human: one" not in texts[2]
    assert "### Human: two" in texts[2]


@both
def test_an_error_in_an_answer_is_shown_and_the_chat_goes_on(client: str, core: FakeCore, connect: Connect) -> None:
    def script(request: object) -> list[Step]:
        if len(core.calls) == 1:
            return [Refuse(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", "never like this")]
        if len(core.calls) == 2:
            return [accepted(), delta("Half"), Refuse(grpc.StatusCode.INTERNAL, "INTERNAL", "out of luck")]
        return whole("Whole")

    core.script = script
    run = chat(client, "--url", connect(), questions="a\nb\nc\n")
    assert run.returncode == 1
    assert run.stdout.startswith("Half")
    assert run.stdout.endswith("Whole\n")
    first, second = run.stderr.strip().split("\n", 1)
    assert "never like this" in first
    assert "out of luck" in second
    assert "Half" not in core.calls[2].request.text


@both
def test_a_server_with_keys(client: str, connect: Connect) -> None:
    url = connect(api_keys=("secret",))
    run = chat(client, "--url", url, questions="Hi\n")
    assert (run.returncode, run.stdout) == (1, "")
    assert "401" in run.stderr
    assert "--api-key" in run.stderr
    assert chat(client, "--url", url, "--api-key", "secret", questions="Hi\n").stdout == "abc\n"


@both
def test_a_server_that_is_not_there(client: str) -> None:
    with socket.socket() as unheard:
        # Bound, so that nobody else gets the port, but not listening.
        unheard.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unheard.getsockname()[1]}"
        run = chat(client, "--url", url, questions="Hi\n")
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith(f"chat.{'mjs' if client == 'node' else 'sh'}: ")
    assert url.removeprefix("http://127.0.0.1:") in run.stderr
    assert run.stderr.count("\n") == 1


@both
def test_another_server(client: str) -> None:
    class Stranger(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>Welcome</html>")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Stranger) as stranger:
        thread = threading.Thread(target=stranger.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{stranger.server_port}"
            run = chat(client, "--url", url, questions="Hi\n")
        finally:
            stranger.shutdown()
            thread.join()
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.endswith(f": what answers at {url} is another server\n")


@both
@pytest.mark.parametrize(
    ("options", "problem"),
    [(("--what",), "there is no option --what; see --help"), (("--url",), "--url needs a value; see --help")],
    ids=["unknown", "without value"],
)
def test_wrong_options(client: str, options: tuple[str, ...], problem: str) -> None:
    run = chat(client, *options)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.endswith(f": {problem}\n")


def test_files_that_are_of_no_use(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"type":"date"}')
    text = tmp_path / "text.json"
    text.write_text("no JSON")
    gone = str(tmp_path / "gone")
    for options, words in (
        (("--grammar", gone), gone),
        (("--grammar-json-schema", gone), gone),
        (("--grammar-json-schema", str(wrong)), f'{wrong}: Unrecognized schema: {{"type":"date"}} at #'),
        (("--grammar-json-schema", str(text)), f"{text}: "),
        (("--grammar", gone, "--grammar-json-schema", gone), "not both"),
    ):
        run = chat("node", *options)
        assert (run.returncode, run.stdout) == (1, "")
        assert words in run.stderr
        assert run.stderr.count("\n") == 1


@both
def test_help_names_every_option(client: str) -> None:
    run = chat(client, "--help")
    assert (run.returncode, run.stderr) == (0, "")
    assert [name for name in OPTIONS[client] if f"  {name} " not in run.stdout] == []


@both
def test_ctrl_c_ends_the_chat_and_the_answer(client: str, core: FakeCore, connect: Connect) -> None:
    core.script = lambda request: [accepted(), delta(" Half"), Hold()]
    arguments = command(client, "--url", connect())
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(b"Hi\n")
            process.stdin.flush()
            seen = b""
            while seen != b"Half":
                seen += process.stdout.read(1)
            # As a terminal does it: to all processes of the group.
            os.killpg(process.pid, signal.SIGINT)
            rest, errors = process.communicate(timeout=WAIT_S)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    assert (process.returncode, rest, errors) == (130, b"\n", b"")
    wait_until("the end of the call in the core", core.calls[0].cancelled.is_set)
