"""The grammar of answers in the channels of gpt-oss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.dialogue.grammar.lark import Grammar, choice, json_value, optional, quoted, sequence
from service.dialogue.grammar.schemas import closed_schema
from service.dialogue.output import ReasoningFormat
from service.dialogue.parsing.harmony import CHANNEL, CONSTRAIN, END, MESSAGE, START, HarmonyParser

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.dialogue.grammar.allowed import Answer
    from service.dialogue.tools import Tool


def harmony_grammar(answer: Answer, *, tail: str, token_ids: Mapping[str, int]) -> str:
    """Reasoning, then content or a call, as messages. A call ends the answer, so there is one at most."""
    grammar = Grammar(token_ids)
    text = f"({grammar.text()})?"
    again = sequence(grammar.marker(END), grammar.marker(START), quoted("assistant"))
    channel, message = grammar.marker(CHANNEL), grammar.marker(MESSAGE)
    parser = HarmonyParser((), tail=tail, reasoning=ReasoningFormat.SEPARATE, make_id=str)
    if parser.is_reasoning:
        thinking = sequence(text, again)
    else:
        thinking = optional(sequence(channel, quoted("analysis"), message, text, again))
    if answer.is_required:
        return grammar.complete(sequence(thinking, _call(grammar, answer)))
    final = sequence(channel, quoted("final"), message, answer.content or text)
    if not answer.tools:
        return grammar.complete(sequence(thinking, final))
    preamble = optional(sequence(channel, quoted("commentary"), message, text, again))
    return grammar.complete(sequence(thinking, choice([final, sequence(preamble, _call(grammar, answer))])))


def _call(grammar: Grammar, answer: Answer) -> str:
    return grammar.rule(" | ".join(_call_of(grammar, tool) for tool in answer.tools))


def _call_of(grammar: Grammar, tool: Tool) -> str:
    channel, recipient = grammar.marker(CHANNEL), f" to=functions.{tool.name}"
    constrained = optional(sequence(quoted(" "), optional(grammar.marker(CONSTRAIN)), quoted("json")))
    header = choice(
        [
            sequence(quoted(recipient), channel, quoted("commentary"), constrained),
            sequence(channel, quoted("commentary" + recipient), constrained),
        ]
    )
    schema = json_value(closed_schema(tool), {}, is_strict=tool.is_strict)
    return sequence(header, grammar.marker(MESSAGE), schema)
