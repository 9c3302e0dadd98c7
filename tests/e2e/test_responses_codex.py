"""A session of the coding agent Codex: requests in the shape that it sends, read as strictly as it reads.

It sends the whole conversation each time, with tools that this server does not run among those that it may call, and
takes from a stream what follows: that the answer began, each item when it is done, and that the answer is complete. A
stream without that end is sent again.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.server import Server
    from tests.support.server_pool import ServerPool

WAIT_S = 60
#: Tokens of a prompt behind the last message, which open the answer; where the history goes on they may differ.
OPENING = 4
INSTRUCTIONS = "You are a coding agent. You run in a terminal. Be precise, and keep answers short."
ENVIRONMENT = "<environment_context>\n<cwd>/work/project</cwd>\n<shell>bash</shell>\n</environment_context>"
EXEC: dict[str, Any] = {
    "type": "function",
    "name": "exec_command",
    "description": "Runs a command in a PTY, and returns output or a session ID for ongoing interaction.",
    "strict": False,
    "parameters": {
        "type": "object",
        "properties": {
            "cmd": {"type": "string", "description": "Shell command to execute.", "maxLength": 40},
            "workdir": {"type": "string", "description": "Working directory.", "maxLength": 40},
            "yield_time_ms": {"type": "number", "description": "How long to wait for output."},
        },
        "required": ["cmd"],
        "additionalProperties": False,
    },
}
STDIN: dict[str, Any] = {
    "type": "function",
    "name": "write_stdin",
    "description": "Writes characters to a running session and returns recent output.",
    "strict": False,
    "parameters": {
        "type": "object",
        "properties": {"session_id": {"type": "number"}, "chars": {"type": "string", "maxLength": 40}},
        "required": ["session_id"],
        "additionalProperties": False,
    },
}
#: What the agent offers besides, and this server cannot run.
OTHERS: list[dict[str, Any]] = [
    {"type": "web_search", "external_web_access": False},
    {"type": "local_shell"},
    {"type": "image_generation", "output_format": "png"},
    {"type": "namespace", "name": "mcp__files", "tools": [STDIN]},
]
TOOLS = [EXEC, OTHERS[0], STDIN, *OTHERS[1:]]
REQUEST: dict[str, Any] = {
    "model": "local-model",
    "instructions": INSTRUCTIONS,
    "tools": TOOLS,
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "reasoning": {"effort": "medium", "summary": "auto"},
    "store": False,
    "stream": True,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "0199a0f2-3b4c-7d5e-8f60-718293a4b5c6",
    "client_metadata": {"x-codex-installation-id": "none"},
    "text": {"verbosity": "low"},
    # The agent leaves these to the server; the tests want the same answer each time, and soon.
    "temperature": 0,
    "max_output_tokens": 192,
}


def said(role: str, text: str) -> dict[str, Any]:
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


BEGINNING = [said("developer", "Approval policy: never ask."), said("user", ENVIRONMENT)]
#: What a larger model did in such a session, item by item; a list is what came between two requests.
RECORDED: list[list[dict[str, Any]]] = [
    [said("user", "How many files are there?")],
    [
        {
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "**Counting files**"}],
            "content": [{"type": "reasoning_text", "text": "I list the folder and count the lines."}],
            "encrypted_content": None,
        },
        said("assistant", "I count them."),
        {
            "type": "function_call",
            "name": "exec_command",
            "arguments": '{"cmd": "ls | wc -l", "workdir": "/work/project"}',
            "call_id": "call_a1",
        },
        {"type": "function_call_output", "call_id": "call_a1", "output": "Exit code: 0\nOutput:\n12\n"},
    ],
    [
        {"type": "reasoning", "summary": [], "encrypted_content": "gAAAAAB-not-for-this-server"},
        said("assistant", "There are 12 files."),
        said("user", "Start the interpreter and add 1 and 2."),
    ],
    [
        {"type": "function_call", "name": "exec_command", "arguments": '{"cmd": "python3"}', "call_id": "call_a2"},
        {"type": "function_call_output", "call_id": "call_a2", "output": "Session ID: 1"},
        {
            "type": "function_call",
            "name": "write_stdin",
            "arguments": '{"session_id": 1, "chars": "1 + 2\\n"}',
            "call_id": "call_a3",
        },
        {"type": "function_call_output", "call_id": "call_a3", "output": [{"type": "input_text", "text": ">>> 3"}]},
    ],
]


class Turn:
    """What the agent takes from a stream."""

    def __init__(self, server: Server, **fields: Any) -> None:
        self.items: list[dict[str, Any]] = []
        self.usage: dict[str, Any] = {}
        #: A small model may talk until it reaches the limit; the agent would send that again.
        self.is_complete = False
        has_begun = False
        for name, event in _events(server, REQUEST | fields):
            assert name == event["type"]
            match event["type"]:
                case "response.created":
                    has_begun = "id" in event["response"]
                case "response.output_item.done":
                    assert has_begun
                    self.items.append(event["item"])
                case "response.completed" | "response.incomplete":
                    assert isinstance(event["response"]["id"], str)
                    self.is_complete = event["type"] == "response.completed"
                    self.usage = event["response"]["usage"]
                case "response.failed":
                    pytest.fail(f"the agent would try again: {event}")
        assert has_begun
        assert isinstance(self.usage["input_tokens"], int)
        assert isinstance(self.usage["output_tokens_details"]["reasoning_tokens"], int)

    @property
    def cached(self) -> int:
        """Tokens of the prompt that were not evaluated again."""
        n_tokens: int = self.usage["input_tokens_details"]["cached_tokens"]
        return n_tokens


def _events(server: Server, body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    url = f"{server.rest_url}/v1/responses"
    headers = {"Accept": "text/event-stream", "Originator": "codex_cli_rs"}
    with requests.post(url, json=body, headers=headers, stream=True, timeout=WAIT_S) as answer:
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        for block in answer.content.decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.split("\n") if line and not line.startswith(":"))
            if fields:
                yield fields["event"], json.loads(fields["data"])


def sent_back(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Items as the agent sends them again: without ids and states of its own."""
    return [{key: value for key, value in item.items() if key not in ("id", "status")} for item in items]


def test_a_recorded_session_evaluates_only_what_is_new(server: Server) -> None:
    conversation = list(BEGINNING)
    before: Turn | None = None
    for items in RECORDED:
        conversation += items
        turn = Turn(server, input=conversation)
        assert turn.items
        if before is not None:
            assert turn.usage["input_tokens"] > before.usage["input_tokens"]
            assert turn.cached >= before.usage["input_tokens"] - OPENING
        before = turn


def test_calls_of_the_model_go_back_and_the_prompt_before_them_is_found_again(server: Server) -> None:
    conversation = [*BEGINNING, said("user", "Show me the files.")]
    before: Turn | None = None
    for output in ("Exit code: 0\nOutput:\nREADME.md\n", "Session ID: 2", "Exit code: 1\nOutput:\n"):
        turn = Turn(server, input=conversation, tool_choice="required")
        assert turn.is_complete
        (call,) = turn.items
        assert call["type"] == "function_call"
        assert call["name"] in ("exec_command", "write_stdin")
        assert isinstance(json.loads(call["arguments"]), dict)
        if before is not None:
            # How much of the call is found depends on how this small model divides it into tokens.
            assert turn.cached >= before.usage["input_tokens"] - OPENING
        conversation += sent_back(turn.items)
        conversation.append({"type": "function_call_output", "call_id": call["call_id"], "output": output})
        before = turn


def test_a_probe_without_input_is_answered(server: Server) -> None:
    assert Turn(server, input=[]).usage["input_tokens"] > 0


def test_a_conversation_that_does_not_fit_is_told_by_its_code(server: Server) -> None:
    long = [*BEGINNING, said("user", "one two three " * 3000)]
    answer = requests.post(f"{server.rest_url}/v1/responses", json=REQUEST | {"input": long}, timeout=WAIT_S)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "context_length_exceeded"


def test_the_list_of_models_is_none_that_the_agent_takes_for_a_catalogue(server: Server) -> None:
    assert "models" not in requests.get(f"{server.rest_url}/v1/models", timeout=WAIT_S).json()


#: A patch as the agent's own tool describes it, in fewer rules; lines are short, because a small model finds no end.
PATCH = """
start: begin_patch hunk end_patch
begin_patch: "*** Begin Patch" LF
end_patch: "*** End Patch" LF?
hunk: add_hunk | delete_hunk | update_hunk
add_hunk: "*** Add File: " filename LF add_line
delete_hunk: "*** Delete File: " filename LF
update_hunk: "*** Update File: " filename LF "@@" LF change_line
add_line: "+" /[a-z ]{1,12}/ LF -> line
change_line: ("+" | "-" | " ") /[a-z ]{1,12}/ LF
filename: /[a-z]{1,8}[.]py/
%import common.LF
"""
APPLY_PATCH: dict[str, Any] = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Use the apply_patch tool to edit files. This is a freeform tool, so do not wrap the patch in JSON.",
    "format": {"type": "grammar", "syntax": "lark", "definition": PATCH},
}
WHOLE_PATCH = re.compile(
    r"\*{3} Begin Patch\n"
    r"\*{3} ((Add|Update) File: [a-z]{1,8}\.py\n(@@\n)?[-+ ][a-z ]{1,12}\n|Delete File: [a-z]{1,8}\.py\n)"
    r"\*{3} End Patch\n?"
)
#: What a larger model did with the tool.
PATCHED: list[list[dict[str, Any]]] = [
    [said("user", "Rename the function in main.py.")],
    [
        {"type": "reasoning", "summary": [], "encrypted_content": "gAAAAAB-not-for-this-server"},
        {
            "type": "custom_tool_call",
            "status": "completed",
            "call_id": "call_p1",
            "name": "apply_patch",
            "input": "*** Begin Patch\n*** Update File: main.py\n@@\n-def old():\n+def new():\n*** End Patch\n",
        },
        {"type": "custom_tool_call_output", "call_id": "call_p1", "output": '{"output":"Success.","metadata":{}}'},
    ],
]


@pytest.fixture(scope="module")
def raw_server(servers: ServerPool) -> Server:
    """One whose model is to write the arguments of calls as they are, as Qwen3-Coder does."""
    return servers.get("-c", "4096", "-np", "2", "--tool-format", "qwen3-coder")


@pytest.mark.parametrize("seed", range(3))
def test_a_patch_obeys_its_grammar_whatever_is_drawn(raw_server: Server, seed: int) -> None:
    turn = Turn(
        raw_server,
        input=[*BEGINNING, said("user", "Add the file new.py.")],
        tools=[*TOOLS, APPLY_PATCH],
        tool_choice={"type": "custom", "name": "apply_patch"},
        temperature=1.0,
        seed=seed,
        max_output_tokens=256,
        store=True,
    )
    assert turn.is_complete
    (call,) = turn.items
    assert (call["type"], call["name"]) == ("custom_tool_call", "apply_patch")
    assert WHOLE_PATCH.fullmatch(call["input"]), call["input"]


def test_patches_of_a_session_go_back_and_are_found_in_the_cache(raw_server: Server) -> None:
    conversation = list(BEGINNING)
    before: Turn | None = None
    for items in PATCHED:
        conversation += items
        turn = Turn(raw_server, input=conversation, tools=[EXEC, APPLY_PATCH], max_output_tokens=16)
        if before is not None:
            assert turn.cached >= before.usage["input_tokens"] - OPENING
        before = turn


def test_a_grammar_that_a_model_cannot_keep_to_is_refused_by_its_place(server: Server) -> None:
    body = REQUEST | {"input": [said("user", "Patch it.")], "tools": [APPLY_PATCH]}
    answer = requests.post(f"{server.rest_url}/v1/responses", json=body, timeout=WAIT_S)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "tools[0].format.definition"
    free = REQUEST | {"input": [said("user", "Patch it.")], "tools": [APPLY_PATCH | {"format": {"type": "text"}}]}
    assert requests.post(f"{server.rest_url}/v1/responses", json=free, timeout=WAIT_S).status_code == 200
