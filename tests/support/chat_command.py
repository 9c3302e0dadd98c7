"""What tests of ``slotline chat`` as a process have in common."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from slotline.v1.generation_pb2 import (
    FINISH_REASON_STOP,
    FINISH_REASON_TOOL_CALLS,
    GenerateRequest,
    ToolDelta,
)
from tests.support.fake_core import Step, accepted, delta, finished, parts, said, thought
from tests.support.terminal import TerminalProgram

if TYPE_CHECKING:
    from pathlib import Path

Open = Callable[..., TerminalProgram]

PROMPT = "> "
#: A key that the adapter wants.
KEY = "a-key-for-tests"
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]


def calling(request: GenerateRequest) -> list[Step]:
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


def json_file(path: Path, content: object) -> str:
    """The path of a file of JSON, which is written."""
    path.write_text(json.dumps(content))
    return str(path)


def environment(**variables: str) -> dict[str, str]:
    """Ours, without what would change a chat."""
    foreign = ("SLOTLINE_", "NO_COLOR", "INPUTRC")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, "TERM": "xterm", "INPUTRC": "/dev/null", **variables}


def texts_of(request: GenerateRequest) -> list[str]:
    """Roles and texts of a conversation."""
    return [f"{message.role}: {message.content[0].text}" for message in request.chat.messages]
