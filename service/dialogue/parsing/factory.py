"""Makes parsers."""

from __future__ import annotations

import secrets
import string
from typing import TYPE_CHECKING

from service.dialogue.chat_format import CallStyle, ChatFormat
from service.dialogue.output import OutputParser, ReasoningFormat
from service.dialogue.parsing import answer, harmony
from service.dialogue.parsing.answer import AnswerParser
from service.dialogue.parsing.harmony import END, TO_FINAL, HarmonyParser

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.dialogue.tools import Tool

_LETTERS = string.ascii_letters + string.digits


def call_id() -> str:
    """A new id of a tool call, unlike all others."""
    return "call_" + "".join(secrets.choice(_LETTERS) for _ in range(24))


def make_parser(
    form: ChatFormat,
    tools: Sequence[Tool] = (),
    *,
    tail: str = "",
    reasoning: ReasoningFormat = ReasoningFormat.SEPARATE,
    make_id: Callable[[], str] = call_id,
) -> OutputParser:
    """A parser of one answer.

    Args:
        form: how answers are written.
        tools: those that may be called; without any, calls are content.
        tail: the end of the prompt: what the template writes to open the answer, and what the answer goes on with.
        reasoning: where reasoning goes.
        make_id: makes the id of a call.
    """
    if form.calls.style is CallStyle.HARMONY:
        return HarmonyParser(tools, tail=tail, reasoning=reasoning, make_id=make_id)
    return AnswerParser(form, tools, tail=tail, reasoning=reasoning, make_id=make_id)


def reasoning_close(form: ChatFormat, *, may_call: bool = False) -> str | None:
    """What ends reasoning, so that the answer begins behind it; None if the format has no reasoning.

    Args:
        form: how answers are written.
        may_call: the answer may be a call, so that it is not begun as content.
    """
    if form.calls.style is CallStyle.HARMONY:
        return END if may_call else TO_FINAL
    return form.reasoning.close if form.reasoning is not None else None


def opens_reasoning(form: ChatFormat, tail: str) -> bool:
    """Whether the end of a prompt has opened reasoning that it does not close."""
    return harmony.is_open(tail) if form.calls.style is CallStyle.HARMONY else answer.is_open(form, tail)
