"""``slotline chat`` at a terminal, in front of a real adapter whose core does what a test says."""

from __future__ import annotations

import readline
from typing import TYPE_CHECKING

import pytest

from tests.support.chat_command import KEY, PROMPT, TOOLS, Open, calling, environment, json_file, texts_of
from tests.support.fake_core import FakeCore, Hold, accepted, delta, finished, whole
from tests.support.server import PATIENCE_S, SLOTLINE
from tests.support.terminal import CTRL_D, LEFT, PASTE_BEGIN, PASTE_END, UP, TerminalProgram
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.adapter import AdapterThread


def test_what_a_tool_gives_is_typed(core: FakeCore, open_chat: Open, tmp_path: Path) -> None:
    core.script = calling
    chat = open_chat("--no-color", "--tools", json_file(tmp_path / "tools.json", TOOLS))
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
    core.script = calling
    chat = open_chat("--tools", json_file(tmp_path / "tools.json", TOOLS))
    chat.type("Weather?\r")
    chat.wait_for("get_weather> ")
    chat.type("/undo\r")
    chat.wait_for("taken back: Weather?")
    chat.wait_for(PROMPT)
    chat.type("/set tools\r")
    chat.wait_for("tools: Tools that the model may call")
    chat.wait_for(PROMPT)
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
    assert texts_of(core.wait_for_call(1).request) == ["user: one", "assistant: <1>", "user: two"]


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
    assert texts_of(core.wait_for_call(1).request) == ["user: q", "assistant: half", "user: go on"]
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
    assert texts_of(core.wait_for_call(1).request) == ["user: q"]


def test_lines_can_be_edited_and_called_back(core: FakeCore, open_chat: Open) -> None:
    chat = open_chat()
    chat.type(f"ac{LEFT}b\r")
    chat.wait_for("cut at the limit")
    chat.wait_for(PROMPT)
    chat.type(f"{UP}d\r")
    chat.wait_for("cut at the limit")
    assert texts_of(core.wait_for_call(1).request) == ["user: abc", "assistant: abc", "user: abcd"]


def test_texts_of_several_lines_are_one_message(core: FakeCore, open_chat: Open) -> None:
    chat = open_chat()
    for keys in ("one\\\rtwo\r", '"""\rone\r\rtwo\r"""\r'):
        chat.type(keys)
        chat.wait_for("cut at the limit")
        chat.wait_for(PROMPT)
    questions = [texts_of(core.wait_for_call(number).request)[-1] for number in range(2)]
    assert questions == ["user: one\ntwo", "user: one\n\ntwo"]


@pytest.mark.skipif("libedit" in (readline.__doc__ or ""), reason="this Python's readline is libedit")
def test_a_pasted_text_is_one_message(core: FakeCore, open_chat: Open) -> None:
    chat = open_chat()
    chat.type(f"{PASTE_BEGIN}one\ntwo\n{PASTE_END}")
    chat.wait_for("two")
    chat.type("\r")
    chat.wait_for("cut at the limit")
    assert texts_of(core.wait_for_call().request) == ["user: one\ntwo"]


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
    assert texts_of(core.wait_for_call(1).request) == ["user: one more"]


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
    assert texts_of(core.calls[-1].request) == ["user: one", "assistant: abc", "user: two"]


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
    chat = TerminalProgram([*SLOTLINE, "chat", "--url", adapter.url], environment())
    try:
        chat.wait_for(f"error: {adapter.url} cannot be reached: Connection refused; is the server running?")
        assert chat.wait() == 1
    finally:
        chat.close()


def test_a_message_gets_its_answer_at_a_terminal_without_control_characters(
    core: FakeCore, adapter: AdapterThread
) -> None:
    core.script = lambda request: [accepted(), delta("a\x1b[2Jb"), finished(1, reason=1)]
    chat = TerminalProgram([*SLOTLINE, "chat", "--url", adapter.url, "q"], environment())
    try:
        assert chat.wait() == 0
        assert chat.screen == "a[2Jb\r\n"
    finally:
        chat.close()
