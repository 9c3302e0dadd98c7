"""Calls, reasoning and texts through a chat template and back: written as a turn, then parsed as an answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from service.dialogue.chat_format import CallStyle
from service.dialogue.grammar import allowed as allowed_answers
from service.dialogue.grammar.answer import answer_grammar
from service.dialogue.output import CallPart, Channel, TextPart
from service.dialogue.parsing.factory import make_parser, opens_reasoning
from service.dialogue.preparation import prepared
from service.dialogue.template.tags import common_beginning, same_beginning
from service.dialogue.tools import Tool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.dialogue.chat_format import ChatFormat
    from service.dialogue.history import Turn

#: Renders turns with tools, opens an answer, and lets the model think, if the template has a switch for that. None if
#: the template refuses that.
Render = Callable[[Sequence["Turn"], Sequence[Any] | None, bool, bool], str | None]

#: What is said of answers that are read as they were, but that the server would not let the model write.
NOT_ALLOWED = "the grammar does not allow"
#: Control tokens without which channels cannot be told from text, behind the tokens of bytes and of the end.
HARMONY_TOKENS = {
    name: 257 + index
    for index, name in enumerate(("<|channel|>", "<|constrain|>", "<|end|>", "<|message|>", "<|start|>"))
}

#: Whether a grammar in Lark allows a text.
Allows = Callable[[str, str], bool]

_PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "number": {"type": "number"},
        "flag": {"type": "boolean"},
        "list": {"type": "array"},
        "object": {"type": "object"},
    },
}
_NAMES = ("look_up", "send-mail")
TOOLS = [
    {"type": "function", "function": {"name": name, "description": "Does it.", "parameters": _PARAMETERS}}
    for name in _NAMES
]
_DECLARED = tuple(Tool(name, _PARAMETERS) for name in _NAMES)
_USER: Turn = {"role": "user", "content": "Please do it."}


@dataclass(frozen=True, slots=True)
class Answer:
    """What an answer consists of.

    Attributes:
        content: its text.
        reasoning: what was thought before it.
        calls: names and arguments.
    """

    content: str = ""
    reasoning: str = ""
    calls: tuple[tuple[str, Mapping[str, Any]], ...] = ()

    @property
    def turn(self) -> Turn:
        """The assistant's turn."""
        turn: Turn = {"role": "assistant", "content": self.content}
        if self.reasoning:
            turn["reasoning_content"] = self.reasoning
        if self.calls:
            turn["tool_calls"] = [
                {"id": f"call{index:05}", "type": "function", "function": {"name": name, "arguments": dict(arguments)}}
                for index, (name, arguments) in enumerate(self.calls)
            ]
        return turn


ANSWERS = {
    "text": Answer("Done."),
    "no arguments": Answer(calls=(("look_up", {}),)),
    "text argument": Answer(calls=(("send-mail", {"text": 'Say "hi",\nthen <b>é</b> & \\ 😀 {x}'}),)),
    "digits": Answer(calls=(("look_up", {"text": "12"}),)),
    "types": Answer(
        calls=(
            (
                "look_up",
                {"text": "a b", "number": 2.5, "flag": True, "list": [1, "two", None], "object": {"k": {"d": "v w"}}},
            ),
        )
    ),
    "two calls": Answer(calls=(("look_up", {"text": "a"}), ("send-mail", {"number": 3}))),
    "text and call": Answer("Let me see.", calls=(("look_up", {"text": "a"}),)),
    "reasoning": Answer("Done.", "First this, then that."),
    "reasoning and call": Answer("", "First this, then that.", (("look_up", {"text": "a"}),)),
}


def failures(form: ChatFormat, render: Render, end_names: Sequence[str], allows: Allows) -> dict[str, str]:
    """What does not come back as it was, by name of the answer, and what came instead.

    Args:
        form: of the template.
        render: renders with it.
        end_names: texts at which an answer ends.
        allows: whether a grammar allows a text.
    """
    found = {name: _failure(answer, form, render, end_names, allows) for name, answer in ANSWERS.items()}
    found["history"] = _history_failure(form, render)
    return {name: failure for name, failure in found.items() if failure}


def _failure(answer: Answer, form: ChatFormat, render: Render, end_names: Sequence[str], allows: Allows) -> str:
    if len(answer.calls) > 1 and not form.history.parallel:
        return ""
    written = _written(answer, form, render)
    if written is None:
        return "the template refuses it"
    tail, text = written
    text = _answer_in(text, form, end_names)
    # Templates leave out what they do not want to see again, reasoning or texts beside calls, or make two turns of it.
    answer = Answer(
        answer.content if answer.content in text else "",
        answer.reasoning if answer.reasoning in text else "",
        tuple(call for call in answer.calls if call[0] in text),
    )
    if not any((answer.content, answer.reasoning, answer.calls)):
        return f"{text!r} holds nothing of it"
    if form.calls.style is CallStyle.HARMONY and answer.calls:
        # Here a text in front of calls is reasoning.
        answer = Answer("", answer.reasoning or answer.content, answer.calls)
    got = parsed(form, text, tail)
    if got != answer:
        return f"{tail!r} and {text!r} give {got}"
    is_required = bool(answer.calls) and not answer.content
    allowed = allowed_answers.Answer(_DECLARED, is_required=is_required, is_parallel=form.history.parallel)
    names = HARMONY_TOKENS if form.calls.style is CallStyle.HARMONY else {}
    grammar = answer_grammar(form, allowed, tail=tail, token_ids=names)
    return "" if allows(grammar, text.rstrip()) else f"{NOT_ALLOWED} {text!r} behind {tail!r}"


def _answer_in(text: str, form: ChatFormat, end_names: Sequence[str]) -> str:
    """What an answer has of a text: all up to its end."""
    close = form.reasoning.close if form.reasoning is not None else ""
    # These are ends of messages, and an answer may consist of several.
    inner = [
        name
        for name in end_names
        if name in close
        or name in form.calls.call_open
        or (form.calls.style is CallStyle.HARMONY and name == "<|end|>")
    ]
    ends = [index for name in end_names if name not in inner and (index := text.find(name)) >= 0]
    text = text[: min(ends)] if ends else text
    for name in inner:
        text = text.rstrip().removesuffix(name)
    return text


def _written(answer: Answer, form: ChatFormat, render: Render) -> tuple[str, str] | None:
    """What the template has put in front of an answer, and the answer with what follows."""
    thinks = bool(answer.reasoning)
    messages, tools = prepared([_USER], TOOLS, form)
    before, opened = render(messages, tools, False, thinks), render(messages, tools, True, thinks)
    turns, tools = prepared([_USER, answer.turn], TOOLS, form)
    whole = render(turns, tools, False, thinks)
    if before is None or opened is None or whole is None:
        return None
    start = len(common_beginning(whole, opened))
    tail = opened[len(same_beginning(before, opened)) :]
    # A template may write something else in front of a turn than in front of an answer, for example no reasoning.
    if not whole.startswith(opened) and not opens_reasoning(form, tail):
        tail = whole[len(same_beginning(before, whole[:start])) : start]
    text = whole[start:]
    if form.reasoning is not None:
        # As an answer to this prompt would begin.
        if not opens_reasoning(form, tail):
            text = text.removeprefix(form.reasoning.close)
        elif form.reasoning.close not in text:
            text = form.reasoning.close + text
    return tail, text


def parsed(form: ChatFormat, text: str, tail: str = "") -> Answer:
    """What the parser makes of an answer, read letter by letter."""
    parser = make_parser(form, _DECLARED, tail=tail, make_id=lambda: "id")
    texts = {Channel.CONTENT: "", Channel.REASONING: ""}
    calls: list[tuple[str, str]] = []
    for part in [part for letter in text for part in parser.push(letter)] + parser.finish():
        if isinstance(part, TextPart):
            texts[part.channel] += part.text
        elif isinstance(part, CallPart):
            if part.name:
                calls.append((part.name, ""))
            calls[-1] = (calls[-1][0], calls[-1][1] + part.arguments)
    return Answer(
        texts[Channel.CONTENT].strip(),
        texts[Channel.REASONING].strip(),
        tuple((name, _arguments(arguments)) for name, arguments in calls),
    )


def _arguments(text: str) -> Mapping[str, Any]:
    try:
        read = json.loads(text)
    except ValueError:
        return {"no JSON": text}
    return read if isinstance(read, dict) else {"no object": read}


def _history_failure(form: ChatFormat, render: Render) -> str:
    """Whether calls and their results of earlier turns are in a prompt."""
    called = ANSWERS["two calls"].turn
    results: list[Turn] = [
        {"role": "tool", "tool_call_id": call["id"], "content": f"result {index}"}
        for index, call in enumerate(called["tool_calls"])
    ]
    turns, tools = prepared([_USER, called, *results, {"role": "assistant", "content": "Done."}, _USER], TOOLS, form)
    text = render(turns, tools, True, False)
    if text is None:
        return "the template refuses calls with results"
    missing = [word for word in (*_NAMES, "result 0", "result 1", "Done.") if word not in text]
    return f"without {', '.join(missing)}" if missing else ""
