"""Compares generated texts, and takes event streams apart."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.golden.findings import Findings

# Greedy texts of old and new kernels agree for several tokens and may then part.
COMPARED_TOKENS = 4

# Cuts a text where every byte-level tokenizer may cut: a piece is at least one token, so that the same first n pieces
# hold at least n tokens.
_PIECES = re.compile(r"'(?:s|t|re|ve|m|ll|d)| ?[^\W\d_]+|\d| ?(?:[^\w\s]|_)+|\s+(?!\S)|\s+")


def is_same_start(expected: str, actual: str) -> bool:
    """Whether the texts begin with the same tokens; a text that ends early must end in both."""
    return _PIECES.findall(expected)[:COMPARED_TOKENS] == _PIECES.findall(actual)[:COMPARED_TOKENS]


def expect_same_start(findings: Findings, place: str, expected: str, actual: str) -> None:
    """Note a difference if the texts part too early, and explain it if they part later."""
    if not is_same_start(expected, actual):
        findings.differ(
            place, f"is {actual!r}; {expected!r} is expected, the first {COMPARED_TOKENS} tokens of it exactly"
        )
    elif expected != actual:
        findings.explain(place, f"parts from the recorded text after {COMPARED_TOKENS} tokens or more")


def parse_events(findings: Findings, text: str) -> list[Any] | None:
    """The JSON values of an event stream; None if its framing is wrong, which is noted.

    Every event is ``data: `` and one line of compact JSON with sorted keys, or ``data: [DONE]``, and a blank line.
    The latter comes back as the string "[DONE]".
    """
    if not text.endswith("\n\n"):
        findings.differ("stream", "does not end with a blank line")
        return None
    values: list[Any] = []
    for number, event in enumerate(text.removesuffix("\n\n").split("\n\n")):
        data = event.removeprefix("data: ")
        if data == event or "\n" in data:
            findings.differ(f"event {number}", f"is {event!r}; 'data: ' and one line are expected")
            return None
        if data == "[DONE]":
            values.append(data)
            continue
        try:
            value = json.loads(data)
        except json.JSONDecodeError as error:
            findings.differ(f"event {number}", f"is not JSON: {error}")
            return None
        if data != json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False):
            findings.differ(f"event {number}", "is not compact JSON with sorted keys and raw UTF-8")
        values.append(value)
    return values
