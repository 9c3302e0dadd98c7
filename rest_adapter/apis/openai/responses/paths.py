"""Fields of messages that the core refuses, under the names that they have in a body of POST /v1/responses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rest_adapter.apis.common.constraints import path_of_constraint
from rest_adapter.apis.common.field_texts import told_of_body
from rest_adapter.apis.openai.chat.paths import path_in_body

if TYPE_CHECKING:
    from rest_adapter.apis.openai.responses.request import ResponseCall
    from rest_adapter.errors import RpcFailure

_CALL = re.compile(r"^chat\.messages\[(\d+)\]\.tool_calls_json\[(\d+)\](?:\.function)?")
_TURN = re.compile(r"^chat\.messages\[(\d+)\](?:\.(\w+))?")
_TOOL = re.compile(r"^chat\.tools_json\[(\d+)\](?:\.function)?")
_INPUT = re.compile(r"^(?:prompt|chat|chat\.messages)(?=$|\s)")


def rename_fields(failure: RpcFailure, call: ResponseCall) -> RpcFailure:
    """A failure of Generate or Tokenize with the names of the fields in the body."""
    return told_of_body(failure, lambda path: path_in_response(path, call))


def path_in_response(path: str, call: ResponseCall) -> str:
    """The path in the body for the path in a message. What follows the field in the text stays."""
    if named := call.turns.pictures.path_in_body(path):
        return named
    if found := _CALL.match(path):
        turn, number = int(found[1]), int(found[2])
        rest = path[found.end() :]
        return call.turns.calls[turn][number] + (".call_id" if rest == ".id" else rest)
    if found := _TURN.match(path):
        return _turn_in_body(call.turns.paths[int(found[1])], found[2], path[found.end() :])
    if found := _TOOL.match(path):
        return _tool_in_body(call, int(found[1]), path[found.end() :])
    if found := _INPUT.match(path):
        return "input" + path[found.end() :]
    if path == "stop.max_tokens" and call.body.max_output_tokens is not None:
        return "max_output_tokens"
    of_constraint = path_of_constraint(path, call.constraint_field)
    # A field of the body, which must not be taken for one of the message.
    return path_in_body(path, call.reasoning) if of_constraint == path else of_constraint


def _turn_in_body(paths: dict[str, str], field: str | None, rest: str) -> str:
    if field is None or field == "tool_calls_json":
        return paths[""] + rest
    if field in paths:
        return paths[field] + rest
    # Messages that are no items are texts as they stand.
    is_item = paths[""].endswith("]")
    return f"{paths['']}.{field}{rest}" if is_item else paths[""] + rest


def _tool_in_body(call: ResponseCall, number: int, rest: str) -> str:
    path, tool = f"tools[{call.tools.places[number]}]", call.tools.given[number]
    if tool["name"] in call.tools.custom and rest.startswith(".parameters"):
        return f"{path}.format.definition"
    return path + rest
