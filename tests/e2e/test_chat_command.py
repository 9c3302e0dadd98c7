"""``slotline chat`` with the default model."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import requests

from tests.support.server import PATIENCE_S, SLOTLINE, Server
from tests.support.terminal import CTRL_D, TerminalProgram
from tests.support.waiting import wait_for_load

if TYPE_CHECKING:
    from pathlib import Path

QUESTION = "What is the capital of Germany?"
GREEDY = ("--set", "temperature=0")


def _environment() -> dict[str, str]:
    """Ours, without settings of whoever runs the tests."""
    foreign = ("SLOTLINE_", "NO_COLOR", "INPUTRC")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, "TERM": "xterm", "INPUTRC": "/dev/null"}


def test_a_script_gets_what_the_api_answers(server: Server) -> None:
    done = subprocess.run(
        [*SLOTLINE, "chat", "--url", server.rest_url, *GREEDY, QUESTION],
        env=_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    body = {"messages": [{"role": "user", "content": QUESTION}], "temperature": 0, "top_p": 0.95, "max_tokens": 1024}
    answer = requests.post(f"{server.rest_url}/v1/chat/completions", json=body, timeout=PATIENCE_S).json()
    expected = answer["choices"][0]["message"]["content"]
    assert "Berlin" in expected
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{expected}\n", "")


def test_a_chat_at_a_terminal(server: Server, tmp_path: Path) -> None:
    chat = TerminalProgram([*SLOTLINE, "chat", "--url", server.rest_url, *GREEDY], _environment())
    try:
        chat.wait_for("SmolLM2-135M-Instruct.Q4_1 at http://")
        chat.wait_for("> ")
        chat.type(f"{QUESTION}\r")
        chat.wait_for("Berlin")
        chat.wait_for("> ")
        chat.type("/stats\r")
        chat.wait_for("last answer: ")
        assert "tokens/s, first token after" in chat.wait_for("conversation: 2 messages")
        chat.wait_for("> ")
        chat.type("/set ignore_eos on\r")
        chat.wait_for("> ")
        chat.type("And what else is there to see?\r")
        wait_for_load(server, processing=1)
        chat.interrupt_until("stopped; /regen answers again")
        # The slot is free at once, not when the limit of tokens is reached.
        wait_for_load(server)
        chat.wait_for("> ")
        chat.type(f"/save {tmp_path}/chat.json\r")
        chat.wait_for("saved ")
        chat.wait_for("> ")
        chat.type(CTRL_D)
        assert chat.wait() == 0
    finally:
        chat.close()
    (conversation,) = json.loads((tmp_path / "chat.json").read_text())["conversations"]
    assert conversation["title"] == QUESTION
    assert "Berlin" in conversation["messages"][1]["content"]
    assert conversation["messages"][1]["statistics"]["nPromptTokens"] == 37


TOOL = {
    "name": "get_weather",
    "description": "The weather in a city, now.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string", "maxLength": 20}}, "required": ["city"]},
}
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 9}, "age": {"enum": [1, 2]}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def test_a_script_gets_calls_and_answers_that_obey_a_schema(server: Server, tmp_path: Path) -> None:
    (tmp_path / "tools.json").write_text(json.dumps([{"type": "function", "function": TOOL}]))
    (tmp_path / "schema.json").write_text(json.dumps(SCHEMA))

    def run(*arguments: str) -> str:
        command = [*SLOTLINE, "chat", "--url", server.rest_url, "--set", "seed=3", *arguments]
        done = subprocess.run(command, env=_environment(), capture_output=True, text=True, timeout=PATIENCE_S)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    lines = run("--tools", f"{tmp_path}/tools.json", "--set", "tool_choice=required", "Weather in Paris?").splitlines()
    assert {json.loads(line)["name"] for line in lines} == {"get_weather"}
    assert all(isinstance(json.loads(line)["arguments"]["city"], str) for line in lines)
    told = json.loads(run("--schema", f"{tmp_path}/schema.json", "Invent a person."))
    assert list(told) == ["name", "age"]
    assert told["age"] in (1, 2)
