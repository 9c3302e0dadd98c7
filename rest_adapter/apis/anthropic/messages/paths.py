"""Fields of messages that the core refuses, under the names that they have in a body."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rest_adapter.apis.common.constraints import path_of_constraint
from rest_adapter.apis.common.field_texts import OPENAI_WORDS, name_in_body, told_of_body
from rest_adapter.apis.common.options import json_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rest_adapter.apis.anthropic.messages.turns import Turn
    from rest_adapter.apis.common.pictures import Pictures
    from rest_adapter.errors import RpcFailure

_TURN = re.compile(r"chat\.messages\[(\d+)\]")
_CALL = re.compile(r"\.tool_calls_json\[(\d+)\]")
_TOOL = re.compile(r"chat\.tools_json\[(\d+)\]")
#: What follows a call or a tool in the OpenAI shape, as blocks and tools call it here.
_PARTS: Mapping[str, str] = {".function.arguments": ".input", ".function.parameters": ".input_schema", ".function": ""}
_NAMES = (
    ("chat.tools_json", "tools"),
    ("chat.tool_policy.allowed_names", "tool_choice.name"),
    ("chat.tool_policy.mode", "tool_choice.type"),
    ("chat.tool_policy.parallel", "tool_choice.disable_parallel_tool_use"),
    ("chat.tool_policy", "tool_choice"),
    ("chat.reasoning.effort", "output_config.effort"),
    ("chat.reasoning.budget_tokens", "thinking.budget_tokens"),
    ("chat.reasoning", "thinking"),
    ("output.reasoning_format", "thinking"),
    ("stop.max_tokens", "max_tokens"),
    ("stop.texts", "stop_sequences"),
    ("prompt", "messages"),
)
#: Words of the contract that bodies have in another form.
_WORDS: Mapping[str, str] = {**OPENAI_WORDS, "TOOL_MODE_REQUIRED": '"any"'}


@dataclass(frozen=True, slots=True)
class Places:
    """Where in a body the parts of a request came from.

    Attributes:
        turns: the turns of the conversation.
        tools: for each tool its number in the body.
        constraint_field: the field that asked for a constraint.
        pictures: those of the turns.
    """

    turns: Sequence[Turn]
    tools: Sequence[int]
    constraint_field: str
    pictures: Pictures

    def renamed(self, failure: RpcFailure) -> RpcFailure:
        """A failure of the core with the names of the fields in the body."""
        return told_of_body(failure, self.path_in_body, _WORDS)

    def path_in_body(self, path: str) -> str:
        """The path in the body for the path in a message; what follows a field in the text stays."""
        if named := self.pictures.path_in_body(path):
            return named
        if found := _TURN.match(path):
            return self._path_of_turn(int(found[1]), path[found.end() :])
        if found := _TOOL.match(path):
            number = int(found[1])
            known = self.tools[number] if number < len(self.tools) else number
            return f"tools[{known}]{_part(path[found.end() :])}"
        return name_in_body(path, _NAMES) or json_name(path_of_constraint(path, self.constraint_field))

    def _path_of_turn(self, number: int, rest: str) -> str:
        if number >= len(self.turns):
            return f"messages{rest}"
        turn = self.turns[number]
        if (found := _CALL.match(rest)) and int(found[1]) < len(turn.call_paths):
            return turn.call_paths[int(found[1])] + _part(rest[found.end() :])
        # Blocks were put together, so that what follows has no place of its own.
        return turn.path


def _part(rest: str) -> str:
    for own, name in _PARTS.items():
        if rest.startswith(own):
            return name + rest.removeprefix(own)
    return rest
