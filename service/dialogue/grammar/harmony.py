"""The grammar of answers in the channels of gpt-oss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.dialogue.grammar.lark import Grammar, choice, json_value, optional, quoted, sequence
from service.dialogue.grammar.schemas import closed_schema
from service.dialogue.parsing.harmony import CALL, CHANNEL, CONSTRAIN, END, MESSAGE, RETURN, START, is_open

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.dialogue.grammar.allowed import Answer
    from service.dialogue.tools import Tool

_ENDS = (END, CALL, RETURN, START, CHANNEL)


def harmony_grammar(answer: Answer, *, tail: str, token_ids: Mapping[str, int]) -> str:
    """Reasoning, then content or a call, as messages. A call ends the answer, so there is one at most."""
    grammar = Grammar(token_ids)
    # The tokens have no text, or they do: that depends on the vocabulary.
    message_end = sequence(grammar.up_to(END), grammar.marker(START), quoted("assistant"))
    channel, message = grammar.marker(CHANNEL), grammar.marker(MESSAGE)
    thinking = message_end if is_open(tail) else optional(sequence(channel, quoted("analysis"), message, message_end))
    if answer.is_required:
        return grammar.complete(sequence(thinking, _call(grammar, answer)))
    final = sequence(channel, quoted("final"), message, answer.content or grammar.text_without(_ENDS))
    if not answer.tools:
        return grammar.complete(sequence(thinking, final))
    preamble = optional(sequence(channel, quoted("commentary"), message, message_end))
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
