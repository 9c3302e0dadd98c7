"""``slotline chat`` with pipes, in front of a real adapter whose core does what a test says."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

import grpc
import pytest

from slotline.v1.generation_pb2 import FINISH_REASON_STOP, OVERFLOW_TRUNCATE, GenerateRequest
from slotline.v1.prompt_pb2 import TOOL_MODE_REQUIRED
from tests.support.chat_command import KEY, TOOLS, calling, environment, json_file, texts_of
from tests.support.fake_core import FakeCore, Hold, Refuse, Step, accepted, delta, finished
from tests.support.server import PATIENCE_S, SLOTLINE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.adapter import AdapterThread

Run = Callable[..., "subprocess.CompletedProcess[str]"]

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


@pytest.fixture
def run(adapter: AdapterThread) -> Run:
    """Runs the command with pipes."""

    def start(*arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*SLOTLINE, "chat", "--url", adapter.url, *arguments],
            env=environment(**variables),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )

    return start


@pytest.mark.parametrize(("arguments", "stdin"), [(["What", "is it?"], ""), ([], "What is it?\n")])
def test_a_script_gets_the_answer_and_nothing_else(arguments: list[str], stdin: str, core: FakeCore, run: Run) -> None:
    core.script = lambda request: [accepted(), delta("It is ", "ä\x1b[1m"), finished(2, reason=1)]
    done = run(*arguments, "--system", "Be brief.", "--set", "top_k=3", stdin=stdin)
    assert (done.returncode, done.stdout, done.stderr) == (0, "It is ä\x1b[1m\n", "")
    request = core.wait_for_call().request
    assert texts_of(request) == ["system: Be brief.", "user: What is it?"]
    assert (request.sampling.top_k, request.stop.max_tokens) == (3, 1024)


def test_an_answer_that_was_cut_says_so_on_stderr(run: Run) -> None:
    done = run("q", "--set", "n_predict=3")
    assert (done.returncode, done.stdout) == (0, "abc\n")
    assert done.stderr == "note: the answer was cut at the limit of tokens; --set n_predict=N raises it\n"


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (
            Refuse(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL", "2 wait already", retry_after_s=3.0),
            "error: 2 wait already; try again in 3 s\n",
        ),
        (
            Refuse(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", violations=(("sampling.top_k", "is odd"),)),
            "error: top_k: is odd\n",
        ),
        (
            Refuse(grpc.StatusCode.UNAVAILABLE, "MODEL_LOADING", "the model is being loaded"),
            "error: the model is being loaded\n",
        ),
    ],
)
def test_a_refusal_is_one_line_on_stderr(refusal: Refuse, error: str, core: FakeCore, run: Run) -> None:
    core.script = lambda request: [refusal]
    done = run("q")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", error)


def test_a_message_that_does_not_fit_can_be_sent_without_its_oldest_part(core: FakeCore, run: Run) -> None:
    def script(request: GenerateRequest) -> list[Step]:
        if request.overflow != OVERFLOW_TRUNCATE:
            facts = {"n_prompt_tokens": "600", "n_ctx": "512"}
            return [Refuse(grpc.StatusCode.INVALID_ARGUMENT, "CONTEXT_LENGTH_EXCEEDED", "too long", metadata=facts)]
        end = finished()
        end.finished.usage.truncated_prompt_tokens = 88
        end.finished.reason = FINISH_REASON_STOP
        return [accepted(), delta("fine"), end]

    core.script = script
    refused = run("Hi")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "error: too long; --set truncate=true leaves out the oldest part\n"
    shortened = run("Hi", "--set", "truncate=true")
    assert (shortened.returncode, shortened.stdout) == (0, "fine\n")
    assert shortened.stderr == (
        "note: the conversation did not fit into the context: its oldest 88 tokens were left out\n"
    )


def test_an_answer_that_breaks_off_is_printed_as_far_as_it_came(core: FakeCore, run: Run) -> None:
    core.script = lambda request: [accepted(), delta("half"), Refuse(grpc.StatusCode.INTERNAL, message="it broke")]
    done = run("q")
    assert (done.returncode, done.stdout, done.stderr) == (1, "half\n", "error: it broke\n")


def test_a_server_that_is_not_there_is_one_line(adapter: AdapterThread, run: Run) -> None:
    adapter.close()
    done = run("q")
    error = f"error: {adapter.url} cannot be reached: Connection refused; is the server running?\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", error)


def test_a_key_can_come_from_a_variable(guarded: AdapterThread, run: Run) -> None:
    refused = run("q", "--url", guarded.url)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        "error: the server wants an API key; give it with --api-key, --api-key-file or SLOTLINE_API_KEY\n"
    )
    wrong = run("q", "--url", guarded.url, "--api-key", "wrong")
    assert wrong.stderr.startswith("error: the server does not take this API key; ")
    assert run("q", "--url", guarded.url, SLOTLINE_API_KEY=KEY).stdout == "abc\n"


def test_whoever_reads_may_stop_reading(core: FakeCore, adapter: AdapterThread) -> None:
    core.script = lambda request: [accepted(), delta("a\n"), Hold(), delta("b"), delta("c"), finished()]
    with subprocess.Popen(
        [*SLOTLINE, "chat", "--url", adapter.url, "q"],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"a\n"
        process.stdout.close()
        core.open(core.wait_for_call())
        assert process.stderr.read() == b""
        assert process.wait(PATIENCE_S) == 141


def test_a_full_disk_is_told(adapter: AdapterThread) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*SLOTLINE, "chat", "--url", adapter.url, "q"],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE_S,
        )
    assert (done.returncode, done.stderr) == (1, "error: stdout cannot be written: No space left on device\n")


def test_without_any_stdin_the_message_is_missing(adapter: AdapterThread) -> None:
    command = ["/bin/sh", "-c", 'exec "$@" <&-', "sh", *SLOTLINE, "chat", "--url", adapter.url]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=PATIENCE_S)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: the message is empty; give one as an argument or on stdin\n"


def test_characters_that_the_output_lacks_are_replaced(core: FakeCore, run: Run) -> None:
    core.script = lambda request: [accepted(), delta("ä"), finished(1, reason=1)]
    done = run("q", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stdout, done.stderr) == (0, "?\n", "")


def test_a_conversation_is_gone_on_with(core: FakeCore, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "chat.json"
    path.write_text(
        '{"format": "slotline-conversations", "version": 1, "conversations": [{"systemPrompt": "s", "messages": ['
        '{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}]}]}'
    )
    run("three", "--load", str(path))
    assert texts_of(core.wait_for_call().request) == ["system: s", "user: one", "assistant: two", "user: three"]


def test_a_script_gets_calls_as_lines_and_no_thinking(core: FakeCore, run: Run, tmp_path: Path) -> None:
    core.script = calling
    done = run("Weather?", "--tools", json_file(tmp_path / "tools.json", TOOLS), "--set", "tool_choice=required")
    line = '{"id": "call_1", "name": "get_weather", "arguments": {"city": "Paris"}}'
    assert (done.returncode, done.stdout, done.stderr) == (0, f"Let me see.\n{line}\n", "")
    request = core.wait_for_call().request
    assert json.loads(request.chat.tools_json) == TOOLS
    assert request.chat.tool_policy.mode == TOOL_MODE_REQUIRED
    assert request.output.parse_output


def test_answers_obey_a_schema_from_a_file(core: FakeCore, run: Run, tmp_path: Path) -> None:
    assert run("q", "--schema", json_file(tmp_path / "schema.json", SCHEMA)).returncode == 0
    assert json.loads(core.wait_for_call().request.constraint.json_schema) == SCHEMA


def test_a_schema_that_the_server_refuses_is_one_line(core: FakeCore, run: Run, tmp_path: Path) -> None:
    violations = (("constraint.json_schema", "/a/uniqueItems is not supported"),)
    core.script = lambda request: [
        Refuse(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", violations=violations),
    ]
    done = run("q", "--schema", json_file(tmp_path / "schema.json", SCHEMA))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith(": /a/uniqueItems is not supported\n")
    assert done.stderr.startswith("error: response_format")
    assert done.stderr.count("\n") == 1
