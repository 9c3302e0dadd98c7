"""Fields of messages that the core refuses, under the names that they have in a body."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rest_adapter.apis.common.field_texts import name_in_body
from rest_adapter.apis.common.options import json_name

if TYPE_CHECKING:
    from rest_adapter.apis.openai.chat.reasoning import Reasoning

_TOOL_CALLS = re.compile(r"^chat\.messages\[(\d+)\]\.tool_calls_json")
_REASONING_OF_TURN = re.compile(r"^chat\.messages\[(\d+)\]\.reasoning\b")


def path_in_body(path: str, reasoning: Reasoning) -> str:
    """The path in the body of a conversation for the path in a message.

    What follows the field in the text, for example an index or a condition, stays.
    """
    path = _TOOL_CALLS.sub(r"messages[\1].tool_calls", path)
    path = _REASONING_OF_TURN.sub(r"messages[\1].reasoning_content", path)
    names = (
        ("chat.tools_json", "tools"),
        ("chat.tool_policy.parallel", "parallel_tool_calls"),
        ("chat.tool_policy.mode", "tool_choice"),
        ("chat.tool_policy.allowed_names", "tool_choice"),
        ("chat.tool_policy", "tool_choice"),
        ("chat.reasoning.enabled", reasoning.switch_field),
        ("chat.reasoning.effort", reasoning.effort_field),
        ("chat.reasoning.budget_tokens", reasoning.budget_field),
        ("chat.reasoning.budget_message", "reasoning_budget_message"),
        ("output.reasoning_format", "reasoning_format"),
    )
    return name_in_body(path, names) or json_name(path)
