"""``slotline chat`` as a process, in front of a real adapter whose core does what a test says."""

from __future__ import annotations

import json
import os
import readline
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import grpc
import pytest

from rest_adapter.config import RestConfig
from slotline.v1.generation_pb2 import (
    FINISH_REASON_STOP,
    FINISH_REASON_TOOL_CALLS,
    OVERFLOW_TRUNCATE,
    GenerateRequest,
    ToolDelta,
)
from slotline.v1.prompt_pb2 import TOOL_MODE_REQUIRED
from tests.support.adapter import AdapterThread
from tests.support.fake_core import (
    FakeCore,
    Hold,
    Refuse,
    Step,
    accepted,
    delta,
    finished,
    parts,
    said,
    thought,
    whole,
)
from tests.support.server import PATIENCE_S, SLOTLINE
from tests.support.terminal import CTRL_D, LEFT, PASTE_BEGIN, PASTE_END, UP, TerminalProgram
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

KEY = "a-key-for-tests"
PROMPT = "> "

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Open = Callable[..., TerminalProgram]


TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


def _calling(request: GenerateRequest) -> list[Step]:
    """Thinks and calls a tool, or answers if the tool has given something."""
    if request.chat.messages[-1].role == "tool":
        return [accepted(), delta("It is sunny."), finished(3, FINISH_REASON_STOP)]
    call = ToolDelta(call=0, id="call_1", name="get_weather", arguments='{"city": "Paris"}')
    return [
        accepted(),
        parts(thought("I ask.")),
        parts(said("Let me see.")),
        parts(call),
        finished(9, FINISH_REASON_TOOL_CALLS),
    ]


def _file(path: Path, content: object) -> str:
    path.write_text(json.dumps(content))
    return str(path)


def _environment(**variables: str) -> dict[str, str]:
    """Ours, without what would change a chat."""
    foreign = ("SLOTLINE_", "NO_COLOR", "INPUTRC")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, "TERM": "xterm", "INPUTRC": "/dev/null", **variables}


@pytest.fixture
def run(adapter: AdapterThread) -> Run:
    """Runs the command with pipes."""

    def start(*arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*SLOTLINE, "chat", "--url", adapter.url, *arguments],
            env=_environment(**variables),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )

    return start


@pytest.fixture
def open_chat(adapter: AdapterThread) -> Iterator[Open]:
    """Opens the command in a terminal and waits for its prompt."""
    opened: list[TerminalProgram] = []

    def start(*arguments: str, **variables: str) -> TerminalProgram:
        command = [*SLOTLINE, "chat", "--url", adapter.url, *arguments]
        opened.append(TerminalProgram(command, _environment(**variables)))
        opened[-1].wait_for(PROMPT)
        return opened[-1]

    yield start
    for chat in opened:
        chat.close()


@pytest.fixture
def guarded(core: FakeCore) -> Iterator[AdapterThread]:
    """An adapter that wants a key."""
    made = AdapterThread(replace(RestConfig(core=core.address), api_keys=(KEY,)))
    yield made
    made.close()


def _texts(request: GenerateRequest) -> list[str]:
    return [f"{message.role}: {message.content[0].text}" for message in request.chat.messages]


# With pipes.


@pytest.mark.parametrize(("arguments", "stdin"), [(["What", "is it?"], ""), ([], "What is it?\n")])
def test_a_script_gets_the_answer_and_nothing_else(arguments: list[str], stdin: str, core: FakeCore, run: Run) -> None:
    core.script = lambda request: [accepted(), delta("It is ", "ä\x1b[1m"), finished(2, reason=1)]
    done = run(*arguments, "--system", "Be brief.", "--set", "top_k=3", stdin=stdin)
    assert (done.returncode, done.stdout, done.stderr) == (0, "It is ä\x1b[1m\n", "")
    request = core.wait_for_call().request
    assert _texts(request) == ["system: Be brief.", "user: What is it?"]
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
        env=_environment(),
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
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE_S,
        )
    assert (done.returncode, done.stderr) == (1, "error: stdout cannot be written: No space left on device\n")


def test_without_any_stdin_the_message_is_missing(adapter: AdapterThread) -> None:
    command = ["/bin/sh", "-c", 'exec "$@" <&-', "sh", *SLOTLINE, "chat", "--url", adapter.url]
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True, timeout=PATIENCE_S)
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
    assert _texts(core.wait_for_call().request) == ["system: s", "user: one", "assistant: two", "user: three"]


def test_a_script_gets_calls_as_lines_and_no_thinking(core: FakeCore, run: Run, tmp_path: Path) -> None:
    core.script = _calling
    done = run("Weather?", "--tools", _file(tmp_path / "tools.json", TOOLS), "--set", "tool_choice=required")
    line = '{"id": "call_1", "name": "get_weather", "arguments": {"city": "Paris"}}'
    assert (done.returncode, done.stdout, done.stderr) == (0, f"Let me see.\n{line}\n", "")
    request = core.wait_for_call().request
    assert json.loads(request.chat.tools_json) == TOOLS
    assert request.chat.tool_policy.mode == TOOL_MODE_REQUIRED
    assert request.output.parse_output


def test_answers_obey_a_schema_from_a_file(core: FakeCore, run: Run, tmp_path: Path) -> None:
    assert run("q", "--schema", _file(tmp_path / "schema.json", SCHEMA)).returncode == 0
    assert json.loads(core.wait_for_call().request.constraint.json_schema) == SCHEMA


def test_a_schema_that_the_server_refuses_is_one_line(core: FakeCore, run: Run, tmp_path: Path) -> None:
    violations = (("constraint.json_schema", "/a/uniqueItems is not supported"),)
    core.script = lambda request: [
        Refuse(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT", violations=violations),
    ]
    done = run("q", "--schema", _file(tmp_path / "schema.json", SCHEMA))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith(": /a/uniqueItems is not supported\n")
    assert done.stderr.startswith("error: response_format")
    assert done.stderr.count("\n") == 1


# At a terminal.


def test_what_a_tool_gives_is_typed(core: FakeCore, open_chat: Open, tmp_path: Path) -> None:
    core.script = _calling
    chat = open_chat("--no-color", "--tools", _file(tmp_path / "tools.json", TOOLS))
    chat.type("Weather?\r")
    chat.wait_for("thinking")
    chat.wait_for("I ask.")
    chat.wait_for("thought for 0.")
    chat.wait_for("Let me see.")
    chat.wait_for('calls get_weather {"city": "Paris"}')
    chat.wait_for("type what it gives")
    chat.wait_for("get_weather> ")
    chat.type("sunny\r")
    chat.wait_for("It is sunny.")
    chat.wait_for(PROMPT)
    messages = core.wait_for_call(1).request.chat.messages
    assert [message.role for message in messages] == ["user", "assistant", "tool"]
    assert (messages[1].reasoning, messages[2].content[0].text, messages[2].tool_call_id) == (
        "I ask.",
        "sunny",
        "call_1",
    )


def test_commands_work_while_a_tool_is_waited_for(core: FakeCore, open_chat: Open, tmp_path: Path) -> None:
    core.script = _calling
    chat = open_chat("--tools", _file(tmp_path / "tools.json", TOOLS))
    chat.type("Weather?\r")
    chat.wait_for("get_weather> ")
    chat.type("/undo\r")
    chat.wait_for("taken back: Weather?")
    chat.wait_for(PROMPT)
    chat.type("/set tools\r")
    chat.wait_for("tools: Tools that the model may call")
    chat.type(CTRL_D)
    assert chat.wait() == 0


def test_a_chat_remembers_and_leaves_at_ctrl_d(core: FakeCore, open_chat: Open) -> None:
    core.script = lambda request: whole(f"<{len(request.chat.messages)}>")
    chat = open_chat()
    for question, answer in (("one", "<1>"), ("two", "<3>")):
        chat.type(f"{question}\r")
        chat.wait_for(answer)
        chat.wait_for(PROMPT)
    chat.type(CTRL_D)
    assert chat.wait() == 0
    assert _texts(core.wait_for_call(1).request) == ["user: one", "assistant: <1>", "user: two"]


def test_ctrl_c_stops_an_answer_and_then_leaves(core: FakeCore, open_chat: Open) -> None:
    core.script = lambda request: [accepted(), delta("half"), Hold(), finished()]
    chat = open_chat()
    chat.type("q\r")
    chat.wait_for("half")
    chat.interrupt_until("stopped; /regen answers again")
    assert core.wait_for_call().cancelled.wait(PATIENCE_S)
    core.script = lambda request: whole("whole")
    chat.wait_for(PROMPT)
    chat.type("go on\r")
    chat.wait_for("whole")
    assert _texts(core.wait_for_call(1).request) == ["user: q", "assistant: half", "user: go on"]
    chat.wait_for(PROMPT)
    chat.interrupt_until_end()
    assert chat.wait() == 0


def test_an_answer_can_be_stopped_before_it_begins(core: FakeCore, open_chat: Open) -> None:
    core.script = lambda request: [Hold()]
    chat = open_chat()
    chat.type("q\r")
    assert core.wait_for_call().holding.wait(PATIENCE_S)
    chat.interrupt_until("stopped")
    assert core.wait_for_call().cancelled.wait(PATIENCE_S)
    core.script = lambda request: whole("again")
    chat.type("/regen\r")
    chat.wait_for("again")
    assert _texts(core.wait_for_call(1).request) == ["user: q"]


def test_lines_can_be_edited_and_called_back(core: FakeCore, open_chat: Open) -> None:
    chat = open_chat()
    chat.type(f"ac{LEFT}b\r")
    chat.wait_for("cut at the limit")
    chat.wait_for(PROMPT)
    chat.type(f"{UP}d\r")
    chat.wait_for("cut at the limit")
    assert _texts(core.wait_for_call(1).request) == ["user: abc", "assistant: abc", "user: abcd"]


def test_texts_of_several_lines_are_one_message(core: FakeCore, open_chat: Open) -> None:
    chat = open_chat()
    for keys in ("one\\\rtwo\r", '"""\rone\r\rtwo\r"""\r'):
        chat.type(keys)
        chat.wait_for("cut at the limit")
        chat.wait_for(PROMPT)
    questions = [_texts(core.wait_for_call(number).request)[-1] for number in range(2)]
    assert questions == ["user: one\ntwo", "user: one\n\ntwo"]


@pytest.mark.skipif("libedit" in (readline.__doc__ or ""), reason="this Python's readline is libedit")
def test_a_pasted_text_is_one_message(core: FakeCore, open_chat: Open) -> None:
    chat = open_chat()
    chat.type(f"{PASTE_BEGIN}one\ntwo\n{PASTE_END}")
    chat.wait_for("two")
    chat.type("\r")
    chat.wait_for("cut at the limit")
    assert _texts(core.wait_for_call().request) == ["user: one\ntwo"]


def test_tab_completes_commands(open_chat: Open) -> None:
    chat = open_chat()
    chat.type("/mo\t")
    chat.wait_for("/model")
    chat.type("\r")
    chat.wait_for("fake-model at http://")


def test_a_question_can_be_changed(core: FakeCore, open_chat: Open) -> None:
    chat = open_chat()
    chat.type("one\r")
    chat.wait_for("cut at the limit")
    chat.wait_for(PROMPT)
    chat.type("/edit\r")
    chat.wait_for(PROMPT)
    chat.wait_for("one")
    chat.type(" more\r")
    chat.wait_for("cut at the limit")
    assert _texts(core.wait_for_call(1).request) == ["user: one more"]


@pytest.mark.parametrize(
    ("arguments", "variables", "is_colored"),
    [([], {}, True), (["--no-color"], {}, False), ([], {"NO_COLOR": "1"}, False), ([], {"TERM": "dumb"}, False)],
)
def test_colors(arguments: list[str], variables: dict[str, str], is_colored: bool, open_chat: Open) -> None:
    chat = open_chat(*arguments, **variables)
    chat.type("/nope\r")
    chat.wait_for("error: /nope is no command")
    assert ("\x1b[31merror: /nope" in chat.screen) is is_colored
    assert ("\x1b[2m" in chat.screen) is is_colored


def test_a_core_that_restarts_leaves_the_history_intact(core: FakeCore, open_chat: Open) -> None:
    chat = open_chat()
    chat.type("one\r")
    chat.wait_for("cut at the limit")
    chat.wait_for(PROMPT)
    core.script = lambda request: [accepted(), delta("half"), Hold()]
    chat.type("two\r")
    chat.wait_for("half")
    core.kill()
    chat.wait_for("error: ")
    chat.wait_for("; /regen sends the question again")
    chat.wait_for(PROMPT)
    core.script = lambda request: whole("new")
    core.start()

    def is_answered() -> bool:
        # The adapter finds the core again when it is asked.
        chat.type("/regen\r")
        shown = chat.wait_for(PROMPT)
        return "new" in shown

    wait_until("an answer of the new core", is_answered)
    assert _texts(core.calls[-1].request) == ["user: one", "assistant: abc", "user: two"]


def test_a_key_can_be_typed_where_nobody_sees_it(guarded: AdapterThread, open_chat: Open) -> None:
    chat = open_chat("--url", guarded.url)
    chat.type("q\r")
    chat.wait_for("error: the server wants an API key; /key takes one, then /regen sends the question again")
    chat.wait_for(PROMPT)
    chat.type("/key\r")
    chat.wait_for("API key: ")
    chat.type(f"{KEY}\r")
    chat.wait_for("API key ****ests")
    chat.wait_for(PROMPT)
    chat.type("/regen\r")
    chat.wait_for("abc")
    assert KEY not in chat.screen


def test_a_chat_without_a_server_does_not_begin(adapter: AdapterThread) -> None:
    adapter.close()
    chat = TerminalProgram([*SLOTLINE, "chat", "--url", adapter.url], _environment())
    try:
        chat.wait_for(f"error: {adapter.url} cannot be reached: Connection refused; is the server running?")
        assert chat.wait() == 1
    finally:
        chat.close()


def test_a_message_gets_its_answer_at_a_terminal_without_control_characters(
    core: FakeCore, adapter: AdapterThread
) -> None:
    core.script = lambda request: [accepted(), delta("a\x1b[2Jb"), finished(1, reason=1)]
    chat = TerminalProgram([*SLOTLINE, "chat", "--url", adapter.url, "q"], _environment())
    try:
        assert chat.wait() == 0
        assert chat.screen == "a[2Jb\r\n"
    finally:
        chat.close()
